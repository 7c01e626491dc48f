// The vectors are the standard in examples: what Python says about each, JavaScript says too.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { SENTENCES } from "../../src/tikiwallet/web/tikicash/errors.js";
import { OPERATORS_CHECKS, run } from "./runner.js";

const FOLDER = new URL("../../protocol/vectors/", import.meta.url);
const ERRORS_MD = new URL("../../protocol/spec/errors.md", import.meta.url);
const VECTORS = readdirSync(FOLDER).flatMap((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")));

for (const vector of VECTORS.filter(({ check }) => !OPERATORS_CHECKS.includes(check))) {
  test(`${vector.id}: ${vector.why}`, async () => {
    assert.deepEqual(await run(vector), vector.expect);
  });
}

test("the list of codes in the standard is the list in the code", () => {
  const rows = readFileSync(ERRORS_MD, "utf8").matchAll(/^\| `([a-z_0-9]+)` \| (.+?) \|/gm);
  assert.deepEqual({ ...SENTENCES }, Object.fromEntries([...rows].map(([, code, sentence]) => [code, sentence])));
});
