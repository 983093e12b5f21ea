// Decodes and encodes samples with a generated client; the bytes must stay.
// usage: node check.mjs samples Message
import { readFileSync } from "node:fs";
import * as game from "./game.js";

const [, , file, name] = process.argv;
const data = readFileSync(file);
let count = 0;
for (let at = 0; at < data.length; count++) {
  const size = data.readUInt32BE(at);
  const want = data.subarray(at + 4, at + 4 + size);
  at += 4 + size;
  const got = Buffer.from(game["encode" + name](game["decode" + name](want)));
  if (!got.equals(want)) {
    console.error(`sample ${count} became\n${got.toString("hex")}, was\n${want.toString("hex")}`);
    process.exit(1);
  }
}
console.log(`${count} samples`);
