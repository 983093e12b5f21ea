// 64-bit integers are bigint, durations are milliseconds, times are Date
// (undefined is Go's zero time); both lose what is below a millisecond.
// proto.Message values are their encoded bytes.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

/** Route names an actor other than the player's own. */
export interface Route {
  name: string;
  id?: bigint | number;
  key?: string;
}

/** Caller is a connection to the gate, by which calls go out. */
export interface Caller {
  call(method: number, args: Uint8Array, route?: Route): Promise<Uint8Array>;
  send(method: number, args: Uint8Array, route?: Route): void;
}

/** skip passes over an unknown field. A known one of another type is an error. */
function skip(r: BinaryReader, no: number, type: number, known: number[]): void {
  if (known.includes(no)) throw new Error(`field ${no} has wire type ${type}`);
  r.skip(type, no);
}

function finish<T>(r: BinaryReader, end: number, m: T): T {
  if (r.pos !== end) throw new Error("message is truncated");
  return m;
}

function writeTime(w: BinaryWriter, v: Date): void {
  const millis = v.getTime();
  const seconds = Math.floor(millis / 1000);
  writeSecondsNanos(w, BigInt(seconds), Math.round((millis - seconds * 1000) * 1e6));
}

function writeDuration(w: BinaryWriter, v: number): void {
  const seconds = Math.trunc(v / 1000);
  writeSecondsNanos(w, BigInt(seconds), Math.round((v - seconds * 1000) * 1e6));
}

function writeSecondsNanos(w: BinaryWriter, seconds: bigint, nanos: number): void {
  w.fork();
  if (seconds !== 0n) w.tag(1, 0).int64(seconds);
  if (nanos !== 0) w.tag(2, 0).int32(nanos);
  w.join();
}

function readTime(r: BinaryReader): Date {
  return new Date(readMillis(r));
}

function readDuration(r: BinaryReader): number {
  return readMillis(r);
}

function readMillis(r: BinaryReader): number {
  const end = r.uint32() + r.pos;
  let millis = 0;
  while (r.pos < end) {
    const [no, type] = r.tag();
    if (no === 1 && type === 0) millis += Number(r.int64()) * 1000;
    else if (no === 2 && type === 0) millis += r.int32() / 1e6;
    else skip(r, no, type, [1, 2]);
  }
  return finish(r, end, millis);
}

function readEntry<K, V>(
  r: BinaryReader,
  field: (no: number, type: number, entry: { key: K; value: V }) => void,
  entry: { key: K; value: V },
  into: Map<K, V>,
): void {
  const end = r.uint32() + r.pos;
  while (r.pos < end) {
    const [no, type] = r.tag();
    field(no, type, entry);
  }
  finish(r, end, entry);
  into.set(entry.key, entry.value);
}

function readArray(r: BinaryReader, size: number): Uint8Array {
  const bytes = r.bytes().slice();
  if (bytes.length !== size) throw new Error(`got ${bytes.length} bytes, want ${size}`);
  return bytes;
}

function fill<T>(list: T[], at: number, value: T): void {
  if (at >= list.length) throw new Error(`more than ${list.length} elements`);
  list[at] = value;
}
