-- answers --
-- Whether a connection still leads to a server.
SELECT 1;
