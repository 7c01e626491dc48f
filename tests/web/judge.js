// Reads vectors from standard input, one a line, and answers each with what JavaScript says about it, in order.
import { createInterface } from "node:readline";
import { run } from "./runner.js";

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).catch((error) => ({ crash: String(error.stack) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
