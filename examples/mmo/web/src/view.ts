// SPDX-License-Identifier: MIT

// What the player sees, built from frames. The format is drawn in aoi/wire.go.

export const SIZE = 1280, CELL = 160, SIDE = SIZE / CELL, SCALE = 32;
export const enum Kind { Player = 1, Monster = 2, Loot = 3 }

/** How far behind the server entities are drawn, so that there is always a next position. */
export const DELAY = 100;
/** How long an entity goes on in its direction when the next position is late. */
const MAX_AHEAD = 90;

interface Sample { t: number; x: number; y: number }

export interface Entity {
  handle: number; id: bigint; kind: Kind; look: number; level: number; name: string;
  hp: number; maxHp: number; cell: number;
  samples: Sample[];
  born: number;
  /** Drawn position and direction, set by View.place. */
  x: number; y: number; dx: number; walking: number;
  struck: number;
  mark: number;
}

export interface Hit { from: number; to: number; amount: number; t: number; x: number; y: number }

const sees = (a: number, b: number) =>
  Math.abs((a % SIDE) - (b % SIDE)) <= 1 && Math.abs(Math.floor(a / SIDE) - Math.floor(b / SIDE)) <= 1;

const text = new TextDecoder();

export class View {
  readonly entities = new Map<number, Entity>();
  hits: Hit[] = [];
  frames = 0;
  bytes = 0;
  private centre = -1;
  private marks = 0;

  reset(): void {
    this.entities.clear();
    this.centre = -1;
  }

  apply(data: Uint8Array, now: number): void {
    this.frames++;
    this.bytes += data.length;
    const d = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const centre = d.getUint8(4);
    if (centre !== this.centre) {
      this.centre = centre;
      for (const [handle, e] of this.entities) if (!sees(centre, e.cell)) this.entities.delete(handle);
    }
    for (let at = 5; at < data.length;) {
      const cell = d.getUint8(at), length = d.getUint16(at + 1);
      this.section(d, at + 3, at + 3 + length, cell, now);
      at += 3 + length;
    }
  }

  private section(d: DataView, at: number, end: number, cell: number, now: number): void {
    const mark = ++this.marks;
    let whole = false;
    while (at < end) {
      const op = d.getUint8(at++);
      switch (op) {
        case 1: at = this.full(d, at, cell, now, mark); break;
        case 2: {
          const e = this.entities.get(d.getUint16(at));
          if (e) {
            e.cell = cell;
            this.sample(e, d.getUint16(at + 2) / SCALE, d.getUint16(at + 4) / SCALE, now);
          }
          at += 7;
          break;
        }
        case 3: {
          const handle = d.getUint16(at);
          if (this.entities.get(handle)?.cell === cell) this.entities.delete(handle);
          at += 2;
          break;
        }
        case 4: {
          const e = this.entities.get(d.getUint16(at));
          if (e) e.hp = d.getUint16(at + 2);
          at += 4;
          break;
        }
        case 5: {
          const to = this.entities.get(d.getUint16(at + 2));
          if (to) {
            to.struck = now;
            this.hits.push({ from: d.getUint16(at), to: to.handle, amount: d.getUint16(at + 4), t: now, x: to.x, y: to.y });
            const from = this.entities.get(d.getUint16(at));
            if (from && from.x !== to.x) from.dx = Math.sign(to.x - from.x);
          }
          at += 6;
          break;
        }
        case 6: whole = true; break;
        default: throw new Error(`frame: record ${op}`);
      }
    }
    if (!whole) return;
    for (const [handle, e] of this.entities) if (e.cell === cell && e.mark !== mark) this.entities.delete(handle);
  }

  private full(d: DataView, at: number, cell: number, now: number, mark: number): number {
    const handle = d.getUint16(at), length = d.getUint8(at + 22);
    const id = d.getBigUint64(at + 2);
    const x = d.getUint16(at + 13) / SCALE, y = d.getUint16(at + 15) / SCALE;
    let e = this.entities.get(handle);
    if (!e || e.id !== id) {
      e = {
        handle, id, kind: 0 as Kind, look: 0, level: 0, name: "", hp: 0, maxHp: 0, cell, samples: [],
        born: now, x, y, dx: 1, walking: 0, struck: 0, mark,
      };
      this.entities.set(handle, e);
    }
    e.kind = d.getUint8(at + 10);
    e.look = d.getUint8(at + 11);
    e.level = d.getUint8(at + 12);
    e.hp = d.getUint16(at + 18);
    e.maxHp = d.getUint16(at + 20);
    e.name = text.decode(new Uint8Array(d.buffer, d.byteOffset + at + 23, length));
    e.cell = cell;
    e.mark = mark;
    this.sample(e, x, y, now);
    return at + 23 + length;
  }

  private sample(e: Entity, x: number, y: number, t: number): void {
    const last = e.samples[e.samples.length - 1];
    if (last && last.x === x && last.y === y) {
      if (t - last.t < 250) return;
    } else if (last && t - last.t > 250) {
      // It stood still: the way began one step ago, not when it was last seen.
      e.samples.push({ t: t - 100, x: last.x, y: last.y });
    }
    if (last && Math.hypot(last.x - x, last.y - y) > 120) e.samples = [];
    e.samples.push({ t, x, y });
    if (e.samples.length > 8) e.samples.shift();
  }

  /** place computes where everything is drawn at a time. */
  place(now: number): void {
    const t = now - DELAY;
    for (const e of this.entities.values()) {
      const s = e.samples;
      let i = s.length - 1;
      while (i > 0 && s[i]!.t > t) i--;
      const a = s[i]!, b = s[i + 1];
      let x = a.x, y = a.y;
      if (b && b.t > a.t) {
        const f = Math.min(Math.max((t - a.t) / (b.t - a.t), 0), 1);
        x += (b.x - a.x) * f;
        y += (b.y - a.y) * f;
      } else if (i > 0 && t - a.t < MAX_AHEAD) {
        const p = s[i - 1]!, span = a.t - p.t;
        if (span > 0 && span < 300) {
          x += ((a.x - p.x) / span) * (t - a.t);
          y += ((a.y - p.y) / span) * (t - a.t);
        }
      }
      const moved = Math.hypot(x - e.x, y - e.y);
      if (Math.abs(x - e.x) > 0.05) e.dx = Math.sign(x - e.x);
      e.walking = moved > 0.02 ? Math.min(e.walking + 0.2, 1) : Math.max(e.walking - 0.12, 0);
      e.x = x;
      e.y = y;
    }
    this.hits = this.hits.filter((h) => now - h.t < 900);
  }
}
