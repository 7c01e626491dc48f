# What the rules in rules.yaml must find (`ruleid`) and must leave alone (`ok`). Nobody runs this.

# ruleid: money-is-never-a-float
half_minor = amount_minor / 2
# ruleid: money-is-never-a-float
share = total / order.amount_minor
# ruleid: money-is-never-a-float
value = float(amount_minor)
# ruleid: money-is-never-a-float
fee_minor = round(amount_minor * fee_bps, 2)
# ruleid: money-is-never-a-float
fee_minor = amount_minor * 0.01
# ruleid: money-is-never-a-float
price_cents = 12.5
# ruleid: money-is-never-a-float
balance_minor: float = 0
# ok: money-is-never-a-float
half_minor = amount_minor // 2
# ok: money-is-never-a-float
fee_minor = -(-amount_minor * fee_bps // 10_000)
# ok: money-is-never-a-float
seconds = duration_ms / 1000
# ok: money-is-never-a-float
timeout_seconds: float = 0.25

# ruleid: a-token-is-verified
jwt.decode(token, key)
# ruleid: a-token-is-verified
jwt.decode(token, options={"verify_signature": False}, algorithms=["ES256"])
# ruleid: a-token-is-verified
jwt.decode(token, key, verify=False, algorithms=["ES256"])
# ruleid: a-token-is-verified
jws.deserialize_compact(token, key)
# ruleid: a-token-is-verified
jws.extract_compact(token)
# ruleid: a-token-is-verified
jwt.get_unverified_claims(token)
# ok: a-token-is-verified
jws.deserialize_compact(token, key, algorithms=["ES256"])
# ok: a-token-is-verified
jwt.decode(token, keys, algorithms=["ES256"])
# ok: a-token-is-verified
msgspec.json.decode(body, type=Order)

# ruleid: sql-is-never-made-of-strings
await connection.execute(f"DELETE FROM person WHERE username = '{username}'")
# ruleid: sql-is-never-made-of-strings
await connection.fetchval("SELECT 1 FROM person WHERE username = '" + username + "'")
# ruleid: sql-is-never-made-of-strings
connection.execute("SELECT * FROM person WHERE username = '%s'" % username)
# ruleid: sql-is-never-made-of-strings
connection.fetch("SELECT * FROM {}".format(table))
# ruleid: sql-is-never-made-of-strings
connection.fetch(SQL["one"].format(table))


async def first_made_then_run(connection, username):
    # ruleid: sql-is-never-made-of-strings
    statement = f"SELECT 1 FROM person WHERE username = '{username}'"
    return await connection.fetchval(statement)


# ok: sql-is-never-made-of-strings
await connection.fetchval(SQL["person_by_username"], username)
# ok: sql-is-never-made-of-strings
await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name)
# ok: sql-is-never-made-of-strings
log.info(f"{count} people")

# ruleid: no-shell
subprocess.run(f"tikiwallet {command}", shell=True)
# ruleid: no-shell
os.system("rm -r " + folder)
# ruleid: no-shell
os.popen(command)
# ok: no-shell
subprocess.run(["tikiwallet", command], check=True)

# ruleid: no-code-in-data
pickle.loads(body)
# ruleid: no-code-in-data
yaml.load(text)
# ruleid: no-code-in-data
eval(expression)
# ok: no-code-in-data
msgspec.json.decode(body, type=Order)
# ok: no-code-in-data
yaml.load(text, Loader=yaml.SafeLoader)

# ruleid: secrets-are-compared-in-equal-time
is_right = stored.code_hash == hashed
# ruleid: secrets-are-compared-in-equal-time
is_right = token != expected
# ok: secrets-are-compared-in-equal-time
is_right = hmac.compare_digest(stored.code_hash, hashed)
# ok: secrets-are-compared-in-equal-time
is_signed_out = token == ""
# ok: secrets-are-compared-in-equal-time
is_same = transfer_id == other_id

# ruleid: chance-is-cryptographic
code = random.randrange(1_000_000)
# ruleid: chance-is-cryptographic
from random import choice
# ok: chance-is-cryptographic
code = secrets.randbelow(1_000_000)

# ruleid: a-route-about-a-thing-says-what-it-refuses
route("GET", "/v1/transfers/{transfer_id:uuid}", summary="A receipt", tag="payments", answer=Receipt)
# ok: a-route-about-a-thing-says-what-it-refuses
route("GET", "/v1/transfers/{transfer_id:uuid}", summary="A receipt", tag="payments", refusals=(TransferUnknown,))
# ok: a-route-about-a-thing-says-what-it-refuses
route("GET", "/v1/balance", summary="What is in my wallet?", tag="payments", answer=Balances)

# ruleid: the-clock-comes-from-the-edge
expires_at = datetime.now(UTC) + lifetime
# ruleid: the-clock-comes-from-the-edge
seconds = time.time()
# ok: the-clock-comes-from-the-edge
expires_at = now + lifetime

# ruleid: a-log-line-names-no-secret
log.info("signed in", phone=person.phone)
# ruleid: a-log-line-names-no-secret
self.log.warning("wrong", password=order.password)
# ok: a-log-line-names-no-secret
log.info("signed in", person_id=str(person_id))

# ruleid: tls-is-checked
http.get(url, verify=False)
# ruleid: tls-is-checked
urllib3.PoolManager(cert_reqs="CERT_NONE")
# ruleid: tls-is-checked
context.check_hostname = False
# ok: tls-is-checked
urllib3.PoolManager(ca_certs=authority)

# ruleid: only-sound-cryptography
digest = hashlib.md5(body).hexdigest()
# ruleid: only-sound-cryptography
cipher = Cipher(algorithms.AES(key), modes.ECB())
# ruleid: only-sound-cryptography
signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
# ok: only-sound-cryptography
digest = hashlib.sha256(body).hexdigest()
# ok: only-sound-cryptography
signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
