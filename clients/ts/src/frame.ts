// SPDX-License-Identifier: MIT

// The client half of gate/PROTOCOL.md. Sequence numbers are JavaScript numbers
// (safe up to 2^53); the session number is a bigint.

export const VERSION = 1;
export const SUBPROTOCOL = "troupe.v1";

export const Kind = {
  Hello: 1, Request: 2, Ack: 3, Ping: 4, Pong: 5, Goodbye: 6,
  Welcome: 16, Reply: 17, Push: 18, Lost: 19,
} as const;

export const Reason = {
  Bye: 1, Move: 2, Reload: 3, Replaced: 4, Denied: 5, Protocol: 6, Slow: 7, Flood: 8,
  Busy: 9, Version: 10, Kicked: 11, Timeout: 12, Duplicate: 13, Shutdown: 14,
} as const;

export interface Hello { resume: boolean; token: string; device: string; client: string; lastSeq: number }
export interface Request { seq: number; ack: number; oneWay: boolean; method: number; route?: Route; args: Uint8Array }
/** An actor other than the session's own, by a route of the gate. */
export interface Route { name: string; id?: bigint | number; key?: string }
export interface Welcome {
  version: number; resumed: boolean; session: bigint; token: string; lastRequest: number;
  heartbeat: number; maxFrame: number; gate: string;
}
export interface Reply { seq: number; request: number; code: number; user: number; text: string; data: Uint8Array }
export interface Push { seq: number; event: number; data: Uint8Array }
export interface Goodbye { reason: number; text: string; addr: string; retry: number }

export type Incoming =
  | { kind: "welcome"; welcome: Welcome }
  | { kind: "reply"; reply: Reply }
  | { kind: "push"; push: Push }
  | { kind: "lost"; seq: number; count: number }
  | { kind: "pong"; stamp: number; lastRequest: number }
  | { kind: "goodbye"; goodbye: Goodbye };

/** MalformedError: the bytes are not a frame of this version. */
export class MalformedError extends Error {
  constructor() { super("troupe: malformed frame"); }
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

class Writer {
  private buf = new Uint8Array(64);
  private end = 4;

  constructor(kind: number) { this.byte(kind); }

  private room(n: number) {
    if (this.end + n <= this.buf.length) return;
    const grown = new Uint8Array(Math.max(2 * this.buf.length, this.end + n));
    grown.set(this.buf);
    this.buf = grown;
  }

  byte(b: number) { this.room(1); this.buf[this.end++] = b; }

  uvarint(v: number | bigint) {
    if (typeof v === "number" && v <= 0x7fffffff) {
      while (v > 0x7f) { this.byte((v & 0x7f) | 0x80); v >>>= 7; }
      this.byte(v);
      return;
    }
    let b = BigInt(v);
    while (b > 0x7fn) { this.byte(Number(b & 0x7fn) | 0x80); b >>= 7n; }
    this.byte(Number(b));
  }

  varint(v: number | bigint) {
    const b = BigInt.asIntN(64, BigInt(v));
    this.uvarint(BigInt.asUintN(64, (b << 1n) ^ (b >> 63n)));
  }

  string(s: string) { const b = utf8.encode(s); this.uvarint(b.length); this.bytes(b); }

  bytes(b: Uint8Array) { this.room(b.length); this.buf.set(b, this.end); this.end += b.length; }

  finish(): Uint8Array<ArrayBuffer> {
    new DataView(this.buf.buffer).setUint32(0, this.end - 4);
    return this.buf.slice(0, this.end);
  }
}

export function encodeHello(h: Hello) {
  const w = new Writer(Kind.Hello);
  w.uvarint(VERSION); w.uvarint(VERSION); w.uvarint(h.resume ? 1 : 0);
  w.string(h.token); w.string(h.device); w.string(h.client); w.uvarint(h.lastSeq);
  return w.finish();
}

export function encodeRequest(r: Request) {
  const w = new Writer(Kind.Request);
  const named = r.route?.key !== undefined;
  w.uvarint(r.seq); w.uvarint(r.ack);
  w.uvarint((r.oneWay ? 1 : 0) | (r.route ? 2 : 0) | (named ? 4 : 0));
  w.uvarint(r.method >>> 0);
  if (r.route) {
    w.string(r.route.name);
    if (named) w.string(r.route.key as string);
    else w.varint(r.route.id ?? 0);
  }
  w.bytes(r.args);
  return w.finish();
}

export function encodeAck(seq: number) { const w = new Writer(Kind.Ack); w.uvarint(seq); return w.finish(); }

export function encodePing(stamp: number, ack: number) {
  const w = new Writer(Kind.Ping); w.uvarint(stamp); w.uvarint(ack); return w.finish();
}

export function encodeGoodbye(reason: number) {
  const w = new Writer(Kind.Goodbye);
  w.uvarint(reason); w.string(""); w.string(""); w.uvarint(0);
  return w.finish();
}

class Reader {
  private at = 0;
  constructor(private readonly b: Uint8Array) {}

  big(): bigint {
    let v = 0n;
    for (let i = 0; i < 10; i++) {
      const byte = this.b[this.at++];
      if (byte === undefined || (i > 0 && byte === 0)) throw new MalformedError();
      v |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        if (v > 0xffffffffffffffffn) throw new MalformedError();
        return v;
      }
    }
    throw new MalformedError();
  }

  uvarint(): number {
    const first = this.b[this.at];
    if (first !== undefined && first < 0x80) { this.at++; return first; }
    const v = this.big();
    if (v > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedError();
    return Number(v);
  }

  varint(): number {
    const u = this.big();
    return Number(BigInt.asIntN(64, (u >> 1n) ^ -(u & 1n)));
  }

  bool(): boolean {
    const v = this.uvarint();
    if (v > 1) throw new MalformedError();
    return v === 1;
  }

  string(limit: number): string {
    const n = this.uvarint();
    if (n > limit || this.at + n > this.b.length) throw new MalformedError();
    return text.decode(this.b.subarray(this.at, (this.at += n)));
  }

  rest(): Uint8Array { return this.b.slice(this.at, (this.at = this.b.length)); }

  done() { if (this.at !== this.b.length) throw new MalformedError(); }
}

/** decode reads one frame without its length prefix. */
export function decode(payload: Uint8Array): Incoming {
  const r = new Reader(payload.subarray(1));
  switch (payload[0]) {
    case Kind.Welcome: {
      const welcome: Welcome = {
        version: r.uvarint(), resumed: r.bool(), session: r.big(), token: r.string(2048),
        lastRequest: r.uvarint(), heartbeat: r.uvarint(), maxFrame: r.uvarint(), gate: r.string(256),
      };
      r.done();
      return { kind: "welcome", welcome };
    }
    case Kind.Reply: {
      const seq = r.uvarint(), request = r.uvarint(), code = r.uvarint();
      const user = code ? r.varint() : 0, message = code ? r.string(1024) : "";
      return { kind: "reply", reply: { seq, request, code, user, text: message, data: r.rest() } };
    }
    case Kind.Push: return { kind: "push", push: { seq: r.uvarint(), event: r.uvarint(), data: r.rest() } };
    case Kind.Lost: { const m = { kind: "lost" as const, seq: r.uvarint(), count: r.uvarint() }; r.done(); return m; }
    case Kind.Pong: { const m = { kind: "pong" as const, stamp: r.uvarint(), lastRequest: r.uvarint() }; r.done(); return m; }
    case Kind.Goodbye: {
      const goodbye: Goodbye = { reason: r.uvarint(), text: r.string(1024), addr: r.string(256), retry: r.uvarint() };
      r.done();
      return { kind: "goodbye", goodbye };
    }
  }
  throw new MalformedError();
}

/** Splitter cuts a stream of bytes into frames. */
export class Splitter {
  private held = new Uint8Array(0);

  constructor(private readonly maxBytes = 4 << 20) {}

  /** push returns the frames that are complete with these bytes. */
  push(bytes: Uint8Array): Uint8Array[] {
    let all = bytes;
    if (this.held.length > 0) {
      all = new Uint8Array(this.held.length + bytes.length);
      all.set(this.held);
      all.set(bytes, this.held.length);
    }
    const frames: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= 4) {
      const size = new DataView(all.buffer, all.byteOffset + at).getUint32(0);
      if (size === 0 || size > this.maxBytes) throw new MalformedError();
      if (all.length - at - 4 < size) break;
      frames.push(all.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    this.held = all.slice(at);
    return frames;
  }
}
