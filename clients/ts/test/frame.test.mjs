// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encodeAck, encodeGoodbye, encodeHello, encodePing, encodeRequest, MalformedError, Splitter } from "../dist/frame.js";

const hex = (b) => Buffer.from(b).toString("hex");
const bytes = (s) => new Uint8Array(Buffer.from(s, "hex"));

// The same frames as TestGoldenFrames in gate/internal/frame.
test("encodes what the gate reads", () => {
  assert.equal(hex(encodeHello({ resume: true, token: "tok", device: "dev", client: "cli", lastSeq: 300 })),
    "000000120101010103746f6b0364657603636c69ac02");
  assert.equal(hex(encodeRequest({ seq: 1, ack: 2, oneWay: true, method: 3, args: bytes("61") })), "00000006020102010361");
  assert.equal(hex(encodeRequest({ seq: 1, ack: 0, oneWay: false, method: -1, route: { name: "zone", id: -5 }, args: bytes("") })),
    "0000000f02010002ffffffff0f047a6f6e6509");
  assert.equal(hex(encodeRequest({ seq: 1, ack: 0, oneWay: false, method: 3, route: { name: "z", key: "n" }, args: bytes("00") })),
    "0000000a0201000603017a016e00");
  assert.equal(hex(encodeAck(2 ** 40)), "0000000703808080808020");
  assert.equal(hex(encodePing(5, 6)), "00000003040506");
  assert.equal(hex(encodeGoodbye(1)), "000000050601000000");
});

test("decodes what the gate writes", () => {
  const all = bytes("00000017100101ffffffffffffffffff010174049875808004016700000009120981808080083132");
  const frames = new Splitter().push(all);
  assert.equal(frames.length, 2);
  assert.deepEqual(decode(frames[0]), { kind: "welcome", welcome: {
    version: 1, resumed: true, session: 2n ** 64n - 1n, token: "t", lastRequest: 4, heartbeat: 15000, maxFrame: 65536, gate: "g" } });
  const push = decode(frames[1]);
  assert.equal(push.push.seq, 9);
  assert.equal(push.push.event, 2147483649);
  assert.equal(hex(push.push.data), "3132");
});

test("splits at every byte and refuses nonsense", () => {
  const one = bytes("00000003050507");
  for (let cut = 0; cut <= one.length; cut++) {
    const s = new Splitter();
    const frames = [...s.push(one.subarray(0, cut)), ...s.push(one.subarray(cut))];
    assert.equal(frames.length, 1);
    assert.deepEqual(decode(frames[0]), { kind: "pong", stamp: 5, lastRequest: 7 });
  }
  assert.throws(() => new Splitter().push(bytes("00000000")), MalformedError);
  assert.throws(() => new Splitter().push(bytes("ffffffff")), MalformedError);
  for (const bad of ["63", "05", "0505", "050507ff", "05800007", "0505" + "ff".repeat(10)]) {
    assert.throws(() => decode(bytes(bad)), MalformedError, bad);
  }
});
