// SPDX-License-Identifier: MIT

// Run by TestTypeScriptClient in gate/: node interop.mjs <url> <token>. It
// calls, cuts the connection, calls on, and prints what it saw.
import { Client } from "../dist/index.js";

const [url, token] = process.argv.slice(2);
const states = [], pushes = [];
let lastPush;
const done = new Promise((resolve) => { lastPush = resolve; });
const client = new Client({
  login: async () => ({ url, token }),
  device: "node",
  backoffMin: 5,
  onState: (s) => states.push(s.state),
  onPush: (p) => {
    const text = new TextDecoder().decode(p.data);
    pushes.push(text);
    if (text === "end") lastPush();
  },
});
const enc = new TextEncoder(), dec = new TextDecoder();
const replies = [];
for (let i = 0; i < 60; i++) {
  if (i % 20 === 10) client.break();
  client.send(4, enc.encode(`m${i}`));
  replies.push(dec.decode(await client.call(1, enc.encode(`c${i}`))));
}
let failure = "";
try { await client.call(2, new Uint8Array()); } catch (e) { failure = `${e.code}/${e.user} ${e.text}`; }
await client.call(1, enc.encode("end"));
await done;
client.close();
console.log(JSON.stringify({ replies, pushes, failure, states, rtt: client.roundTrip >= 0 }));
