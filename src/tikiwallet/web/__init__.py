"""The wallet in a browser: plain files, served as they are."""
