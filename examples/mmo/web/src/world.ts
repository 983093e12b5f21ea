// SPDX-License-Identifier: MIT

// The game as the page knows it: the session with the gate, the player, the
// view. The canvas reads it at each frame; panels re-render when it changes.

import { Client, StatusError, type PushEvent, type State } from "@troupe/client";
import { PlayerClient, type Letter, type Self, type Standing, type Ware } from "./game";
import { SCALE, SIZE, View, Kind, type Entity } from "./view";

const enum Event { Frame = 1, Self = 2, Zone = 3, Chat = 4, Mail = 5, Place = 6, Notice = 7 }

export interface Zone {
  zone: number; name: string; look: number; node: string; handle: number;
  x: number; y: number; townX: number; townY: number; neighbours: [number, number, number, number];
}
export interface ChatLine { channel: string; from: string; text: string; at: number }
export interface NodeState { name: string; up: boolean; sessions: number; players: number; zones: number }
export interface Live {
  uptime: number; moves: number; pushes: number; calls: number; bytes: number; kills: number; memory: number;
  nodes: NodeState[]; zones: { id: number; name: string; node: string; players: number }[];
}
export interface Rates { moves: number; pushes: number; calls: number; kilobytes: number }

const SPEED = 62; // units per second
const MOVE_EVERY = 100;

type Link = "offline" | "online" | "lost";

export class World {
  readonly view = new View();
  client: Client | undefined;
  player: PlayerClient | undefined;
  link: Link = "offline";
  ended = "";
  name = "";
  self: Self | undefined;
  zone: Zone | undefined;
  gate = "";
  playerNode = "";
  x = 0; y = 0; dx = 1; walking = 0; swing = 0;
  inputX = 0; inputY = 0; attacking = false;
  target: number | undefined;
  chat: ChatLine[] = [];
  notices: { text: string; at: number; id: number }[] = [];
  wares = new Map<number, Ware>();
  letters: Letter[] = [];
  newMail = 0;
  ranking: Standing[] = [];
  live: Live | undefined;
  rates: Rates = { moves: 0, pushes: 0, calls: 0, kilobytes: 0 };
  history: Rates[] = [];
  moved = 0; // for tests: moves sent
  private seq = 0;
  private sentAt = 0;
  private sentX = -1;
  private sentY = -1;
  private struckAt = 0;
  private nextNotice = 1;
  private listeners = new Set<() => void>();
  private scheduled = false;

  subscribe(fn: () => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  /** changed re-renders the panels, at most once per frame. */
  changed(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      for (const fn of this.listeners) fn();
    });
  }

  /** enter logs in and joins. The first refusal is thrown; later the client goes on trying. */
  async enter(name: string): Promise<void> {
    const secret = secretOf(name);
    const ticket = async () => {
      const answer = await fetch("/login", {
        method: "POST", body: JSON.stringify({ name, secret }), headers: { "Content-Type": "application/json" },
      });
      if (!answer.ok) throw new Error((await answer.text()).trim());
      const body = (await answer.json()) as { token: string; gate: { ws: string } };
      return { url: body.gate.ws, token: body.token };
    };
    let first: { url: string; token: string } | undefined = await ticket();
    this.name = name;
    localStorage.setItem("name", name);
    this.client = new Client({
      client: "mmo-page", backoffMin: 80, backoffMax: 1000,
      login: () => { const t = first; first = undefined; return t ? Promise.resolve(t) : ticket(); },
      onPush: (p) => this.push(p),
      onState: (s) => this.state(s),
    });
    this.player = new PlayerClient(this.client);
    for (const w of await this.player.wares()) this.wares.set(w.item, w);
    this.changed();
  }

  private state(s: State): void {
    if (s.state === "connected" || s.state === "resumed") {
      const again = this.link === "lost";
      this.link = "online";
      this.gate = s.gate;
      if (again) this.notice(s.state === "resumed" ? "Back: the session goes on." : "Back, with a new session.");
      if (s.state === "connected") void this.join();
    }
    if (s.state === "disconnected") this.link = "lost";
    if (s.state === "ended") { this.link = "lost"; this.ended = s.why; }
    this.changed();
  }

  private async join(): Promise<void> {
    try {
      const known = this.self !== undefined;
      this.self = await this.player!.join();
      this.playerNode = this.self.node;
      if (!known) { this.x = this.self.x; this.y = this.self.y; }
      void this.refreshMail();
    } catch (err) {
      if (!this.ended) setTimeout(() => void this.join(), 300);
      this.notice(message(err));
    }
    this.changed();
  }

  private push(p: PushEvent): void {
    if (p.event === Event.Frame) {
      this.view.apply(p.data, performance.now());
      return;
    }
    const data = JSON.parse(new TextDecoder().decode(p.data));
    switch (p.event) {
      case Event.Self: {
        if (!this.self) break;
        const s = this.self;
        s.level = data.level; s.xp = BigInt(data.xp); s.nextXp = BigInt(data.nextXp); s.gold = BigInt(data.gold);
        s.hp = data.hp; s.maxHp = data.maxHp;
        if (data.why) { this.notice(`You got: ${data.why}`); void this.refreshSheet(); }
        break;
      }
      case Event.Zone: {
        const far = Math.hypot(data.x - this.x, data.y - this.y) > 60;
        if (this.zone?.zone !== data.zone || far) { this.x = data.x; this.y = data.y; this.sentX = -1; }
        if (this.zone && this.zone.zone !== data.zone) this.notice(`Welcome to ${data.name}`);
        this.zone = data;
        this.view.reset();
        void this.where();
        break;
      }
      case Event.Chat: this.chat = [...this.chat.slice(-79), data]; break;
      case Event.Mail:
        this.newMail++;
        this.notice(`A letter from ${data.from}`);
        void this.refreshMail();
        break;
      case Event.Place: this.x = data.x; this.y = data.y; this.sentX = -1; break;
      case Event.Notice: this.notice(data.text); break;
    }
    this.changed();
  }

  notice(text: string): void {
    const id = this.nextNotice++;
    this.notices = [...this.notices.slice(-3), { text, at: Date.now(), id }];
    setTimeout(() => { this.notices = this.notices.filter((n) => n.id !== id); this.changed(); }, 4500);
    this.changed();
  }

  /** attempt runs something of the player and shows why it did not work. */
  async attempt<T>(what: () => Promise<T>): Promise<T | undefined> {
    try {
      return await what();
    } catch (err) {
      this.notice(message(err));
      return undefined;
    }
  }

  async buy(item: number): Promise<void> {
    const number = BigInt(Date.now()) * 1000n + BigInt(Math.floor(Math.random() * 1000));
    for (let tries = 0; ; tries++) {
      try {
        await this.player!.buy(item, 1, number);
        break;
      } catch (err) {
        // The same number again never buys twice, so a doubt can be repeated away.
        if ((err instanceof StatusError && err.user !== 0) || tries > 20) { this.notice(message(err)); return; }
        await new Promise((done) => setTimeout(done, 300));
      }
    }
    this.notice(`Bought: ${this.wares.get(item)?.name ?? item}`);
    await this.refreshSheet();
  }

  async refreshSheet(): Promise<void> {
    const self = await this.attempt(() => this.player!.sheet());
    if (self) { this.self = self; this.playerNode = self.node; this.changed(); }
  }

  async refreshMail(): Promise<void> {
    const letters = await this.attempt(() => this.player!.inbox());
    if (letters) { this.letters = letters; this.changed(); }
  }

  async refreshRanking(): Promise<void> {
    const list = await this.attempt(() => this.player!.ranking());
    if (list) { this.ranking = list; this.changed(); }
  }

  private async where(): Promise<void> {
    try {
      const place = await this.player!.where();
      this.playerNode = place.playerNode;
      if (place.zoneNode && this.zone) this.zone.node = place.zoneNode;
      this.changed();
    } catch { /* asked again with the next zone */ }
  }

  watch(): void {
    const source = new EventSource("/api/live");
    source.onmessage = (e) => {
      const live = JSON.parse(e.data) as Live;
      const old = this.live;
      if (old && live.uptime > old.uptime) {
        const s = live.uptime - old.uptime;
        // The counters of a node that died are gone: keep the last rate then.
        const rate = (a: number, b: number, last: number) => (a < b ? last : (a - b) / s);
        const r = this.rates;
        this.rates = {
          moves: rate(live.moves, old.moves, r.moves), pushes: rate(live.pushes, old.pushes, r.pushes),
          calls: rate(live.calls, old.calls, r.calls), kilobytes: rate(live.bytes / 1024, old.bytes / 1024, r.kilobytes),
        };
        this.history = [...this.history.slice(-59), this.rates];
      }
      this.live = live;
      if (this.link === "online" && Math.floor(live.uptime) % 3 === 0) void this.where();
      this.changed();
    };
  }

  async kill(node: string): Promise<void> {
    const answer = await fetch(`/api/kill?node=${encodeURIComponent(node)}`, { method: "POST" });
    this.notice(answer.ok ? `${node} was killed. It comes back in a moment.` : (await answer.text()).trim());
  }

  /** step moves the player; seconds since the last frame. */
  step(now: number, seconds: number): void {
    if (!this.zone || !this.self || this.link === "offline") return;
    const length = Math.hypot(this.inputX, this.inputY);
    if (length > 0.1) {
      const pace = (SPEED * Math.min(length, 1) * seconds) / length;
      this.x = Math.min(Math.max(this.x + this.inputX * pace, 0), SIZE - 0.1);
      this.y = Math.min(Math.max(this.y + this.inputY * pace, 0), SIZE - 0.1);
      if (Math.abs(this.inputX) > 0.1) this.dx = Math.sign(this.inputX);
      this.walking = Math.min(this.walking + seconds * 8, 1);
    } else {
      this.walking = Math.max(this.walking - seconds * 6, 0);
    }
    if (this.attacking) this.strike(now);
    if (this.link === "online" && now - this.sentAt >= MOVE_EVERY && (this.x !== this.sentX || this.y !== this.sentY)) {
      this.sentAt = now;
      this.sentX = this.x;
      this.sentY = this.y;
      this.seq = (this.seq + 1) & 0xff;
      this.moved++;
      try {
        this.player!.sendMove(Math.floor(this.x * SCALE), Math.floor(this.y * SCALE), this.seq);
      } catch { /* too much is waiting: the next move says it all */ }
    }
  }

  /** nearest returns the monster that an attack would strike. */
  nearest(reach = 42): Entity | undefined {
    let best: Entity | undefined;
    for (const e of this.view.entities.values()) {
      if (e.kind !== Kind.Monster) continue;
      const d = Math.hypot(e.x - this.x, e.y - this.y);
      if (d < reach) { reach = d; best = e; }
    }
    return best;
  }

  strike(now: number): void {
    if (now - this.struckAt < 480) return;
    const foe = this.nearest();
    this.struckAt = now;
    this.swing = now;
    if (!foe) return;
    this.dx = Math.sign(foe.x - this.x) || this.dx;
    try { this.player?.sendAttack(foe.handle); } catch { /* the next stroke */ }
  }

  async drink(): Promise<void> {
    const stack = this.self?.bag.find((s) => (this.wares.get(s.item)?.heal ?? 0) > 0);
    if (!stack) return this.notice("Nothing to eat or drink: visit the shop");
    await this.attempt(() => this.player!.use(stack.item));
    await this.refreshSheet();
  }
}

export function message(err: unknown): string {
  if (err instanceof StatusError) return err.text || `status ${err.code}`;
  return err instanceof Error ? err.message : String(err);
}

/** secretOf is what proves that a name is ours, kept in this browser. */
function secretOf(name: string): string {
  const key = "secret:" + name.toLowerCase();
  let secret = localStorage.getItem(key);
  if (!secret) {
    secret = crypto.randomUUID();
    localStorage.setItem(key, secret);
  }
  return secret;
}

export const world = new World();
