// SPDX-License-Identifier: MIT

import {
  decode, encodeAck, encodeGoodbye, encodeHello, encodePing, encodeRequest,
  Reason, Splitter, SUBPROTOCOL,
  type Goodbye, type Incoming, type Reply, type Route, type Welcome,
} from "./frame.js";

/** Ticket is what the login endpoint hands out. */
export interface Ticket { url: string; token: string }

export type State =
  | { state: "connected"; gate: string }      // a new session: the first, or after "reload"
  | { state: "resumed"; gate: string }        // the same session on another connection
  | { state: "disconnected"; why: string }    // trying again
  | { state: "reload" }                       // the session is gone: load your state again
  | { state: "lossy"; lost: number }          // the gate dropped pushes: load your state again
  | { state: "ended"; why: string };          // closed, or thrown out

export interface PushEvent { event: number; data: Uint8Array; volatile: boolean }

export interface Options {
  /** Called for the first connection, when the session is gone, and when the gate cannot be reached. */
  login: () => Promise<Ticket>;
  /** Names this device; a session can be resumed by the same one only. Defaults to a random name per page. */
  device?: string;
  /** Name and version of the application, for the server's log. */
  client?: string;
  onPush?: (push: PushEvent) => void;
  onState?: (state: State) => void;
  /** Milliseconds a call may take. Defaults to 10,000. */
  callTimeout?: number;
  /** Bounds of the pause between attempts, in milliseconds. Default to 100 and 5,000. */
  backoffMin?: number;
  backoffMax?: number;
  /** Requests in flight. Defaults to 1,024. */
  maxUnanswered?: number;
  /** The WebSocket class, for tests and runtimes without a global one. */
  WebSocket?: typeof WebSocket;
}

/** StatusError is a failed request as the gate or the handler reported it. */
export class StatusError extends Error {
  constructor(readonly code: number, readonly user: number, readonly text: string) {
    super(text || `status ${code}`);
  }
}

/** InDoubtError: the request may or may not have run. */
export class InDoubtError extends Error {
  constructor(why: string) { super(`outcome unknown: ${why}`); }
}

interface Pending {
  seq: number;
  raw: Uint8Array<ArrayBuffer>;
  done?: { resolve: (data: Uint8Array) => void; reject: (why: Error) => void; timer: ReturnType<typeof setTimeout> };
}

const ACK_EVERY = 32;

/** How long a connection must hold, in milliseconds, to count as a success. */
const LASTING = 5_000;

/**
 * Client is a session with a gate that survives lost connections: it resumes,
 * sends again what the gate has not accepted and drops what it has seen, so
 * that a call runs once and a push arrives once. When the session is gone it
 * logs in again and reports "reload".
 */
export class Client {
  private socket: WebSocket | undefined;
  private ready = false;
  private ended = false;
  private next = 1;
  private pending: Pending[] = [];
  private lastSeq = 0;
  private acked = 0;
  private token = "";
  private ticket: Ticket | undefined;
  private url = "";
  private attempts = 0;
  private heartbeat = 15_000;
  private heard = 0;
  private since = 0; // when this connection was welcomed
  private maxFrame = 64 << 10;
  private beat: ReturnType<typeof setInterval> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly device: string;
  /** The last round trip in milliseconds, from a ping. */
  roundTrip = 0;

  constructor(private readonly options: Options) {
    this.device = options.device ?? "web-" + Math.random().toString(36).slice(2, 14);
    void this.connect();
  }

  /** call runs a method of the session's own actor, or of route's, and returns the encoded reply. */
  call(method: number, args: Uint8Array, route?: Route): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const ms = this.options.callTimeout ?? 10_000;
      const timer = setTimeout(() => reject(new InDoubtError("no reply in time")), ms);
      this.submit(method, args, route, { resolve, reject, timer });
    });
  }

  /** send runs a method without waiting; it is delivered once as long as the session lives. */
  send(method: number, args: Uint8Array, route?: Route): void { this.submit(method, args, route); }

  /** close logs out. Unanswered calls are rejected. */
  close(): void {
    if (this.ready) this.write(encodeGoodbye(Reason.Bye));
    this.end("closed");
  }

  /** break cuts the connection as a bad network would, for tests. */
  break(): void { this.socket?.close(); }

  private submit(method: number, args: Uint8Array, route?: Route, done?: Pending["done"]) {
    const limit = this.options.maxUnanswered ?? 1024;
    if (this.ended || this.pending.length >= limit) {
      const why = new Error(this.ended ? "client is closed" : "too many unanswered requests");
      if (!done) throw why;
      clearTimeout(done.timer);
      done.reject(why);
      return;
    }
    const seq = this.next;
    const raw = encodeRequest({ seq, ack: this.lastSeq, oneWay: !done, method, args, ...(route ? { route } : {}) });
    if (raw.length - 4 > this.maxFrame) {
      const why = new Error("request too large");
      if (!done) throw why;
      clearTimeout(done.timer);
      done.reject(why);
      return;
    }
    this.next++;
    this.pending.push({ seq, raw, ...(done ? { done } : {}) });
    if (this.ready) {
      this.acked = this.lastSeq;
      this.write(raw);
      if (this.pending.length % 128 === 0) this.ping();
    }
  }

  private async connect() {
    if (this.ended) return;
    try {
      if (!this.ticket) {
        this.ticket = await this.options.login();
        this.url = this.ticket.url;
      }
    } catch (err) {
      this.again(undefined, `login: ${err instanceof Error ? err.message : err}`);
      return;
    }
    if (this.ended) return;
    let socket: WebSocket;
    try {
      socket = new (this.options.WebSocket ?? WebSocket)(this.url, SUBPROTOCOL);
    } catch (err) {
      this.ticket = undefined;
      this.again(undefined, String(err));
      return;
    }
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heard = Date.now();
    const splitter = new Splitter();
    let bye: Goodbye | undefined;
    const watchdog = setTimeout(() => this.drop(socket, bye, "no welcome"), 15_000);
    socket.onopen = () => {
      const resume = this.token !== "";
      socket.send(encodeHello({
        resume, token: resume ? this.token : this.ticket?.token ?? "",
        device: this.device, client: this.options.client ?? "", lastSeq: resume ? this.lastSeq : 0,
      }));
    };
    socket.onmessage = (e: MessageEvent) => {
      if (this.socket !== socket) return;
      this.heard = Date.now();
      try {
        for (const payload of splitter.push(new Uint8Array(e.data as ArrayBuffer))) {
          const message = decode(payload);
          if (message.kind === "goodbye") {
            bye = message.goodbye;
            this.drop(socket, bye, "goodbye");
            return;
          }
          if (message.kind === "welcome") clearTimeout(watchdog);
          this.handle(message);
        }
      } catch (err) {
        this.drop(socket, bye, String(err));
      }
    };
    socket.onclose = () => { clearTimeout(watchdog); this.drop(socket, bye, "connection lost"); };
    socket.onerror = () => { /* onclose follows */ };
  }

  /** drop gives one connection up and decides what next, once per connection. */
  private drop(socket: WebSocket, bye: Goodbye | undefined, why: string) {
    if (this.socket !== socket) return;
    this.socket = undefined;
    const was = this.ready;
    this.ready = false;
    clearInterval(this.beat);
    socket.close();
    if (was && Date.now() - this.since > LASTING) this.attempts = 0;
    if (was) this.report({ state: "disconnected", why: bye?.text || why });
    this.again(bye, why);
  }

  private again(bye: Goodbye | undefined, why: string) {
    if (this.ended) return;
    const min = this.options.backoffMin ?? 100, max = this.options.backoffMax ?? 5_000;
    const ceiling = Math.min(max, min * 2 ** Math.min(this.attempts++, 16));
    let pause = ceiling / 2 + Math.random() * ceiling / 2;
    switch (bye?.reason) {
      case Reason.Move: this.url = bye.addr; this.attempts = 0; pause = 0; break;
      case Reason.Reload: this.forget(); pause = 0; break;
      case Reason.Protocol: this.forget(); break; // sending the same again would end the same way
      case Reason.Denied:
        if (this.token === "") return this.end(bye.text || "denied");
        this.forget();
        break;
      case Reason.Replaced: return this.end("replaced by another login");
      case Reason.Kicked: return this.end(bye.text || "kicked");
      case Reason.Version: return this.end("protocol version");
      case Reason.Duplicate: return this.end("already connected");
      case undefined:
        if (this.token === "" || this.attempts > 2) this.ticket = undefined;
        break;
      default:
        this.ticket = undefined;
        pause = Math.max(pause, bye?.retry ?? 0);
    }
    void why;
    this.retry = setTimeout(() => void this.connect(), pause);
  }

  private handle(m: Incoming) {
    switch (m.kind) {
      case "welcome": return this.welcome(m.welcome);
      case "push":
        if (this.fresh(m.push.seq)) {
          this.options.onPush?.({ event: m.push.event, data: m.push.data, volatile: m.push.seq === 0 });
        }
        return;
      case "reply": if (this.fresh(m.reply.seq)) this.reply(m.reply); return;
      case "lost": if (this.fresh(m.seq)) this.report({ state: "lossy", lost: m.count }); return;
      case "pong":
        this.roundTrip = Math.max(0, Date.now() - m.stamp);
        this.accepted(m.lastRequest);
    }
  }

  private welcome(w: Welcome) {
    this.token = w.token;
    this.since = Date.now();
    this.maxFrame = w.maxFrame || this.maxFrame;
    this.heartbeat = w.heartbeat || this.heartbeat;
    this.ready = true;
    this.accepted(w.lastRequest);
    this.acked = this.lastSeq;
    this.write(encodeAck(this.lastSeq)); // retires the older token
    for (const p of this.pending) if (p.seq > w.lastRequest) this.write(p.raw);
    clearInterval(this.beat);
    this.beat = setInterval(() => this.tick(), this.heartbeat);
    this.report({ state: w.resumed ? "resumed" : "connected", gate: w.gate });
  }

  private tick() {
    const socket = this.socket;
    if (socket && Date.now() - this.heard > 3 * this.heartbeat) this.drop(socket, undefined, "silence");
    else this.ping();
  }

  private ping() { this.acked = this.lastSeq; this.write(encodePing(Date.now(), this.lastSeq)); }

  /** fresh checks a sequence number and reports whether the frame is new. */
  private fresh(seq: number): boolean {
    if (seq === 0) return true;
    if (seq <= this.lastSeq) return false;
    if (seq !== this.lastSeq + 1) throw new Error("gap in the sequence numbers");
    this.lastSeq = seq;
    if (seq - this.acked >= ACK_EVERY) { this.acked = seq; this.write(encodeAck(seq)); }
    return true;
  }

  /** accepted forgets one-way requests that the gate has. */
  private accepted(last: number) { this.pending = this.pending.filter((p) => p.done || p.seq > last); }

  private reply(r: Reply) {
    const answered = this.pending.find((p) => p.seq === r.request);
    this.pending = this.pending.filter((p) => p.seq !== r.request && (p.done || p.seq > r.request));
    if (!answered?.done) return;
    clearTimeout(answered.done.timer);
    if (r.code === 0) answered.done.resolve(r.data);
    else answered.done.reject(new StatusError(r.code, r.user, r.text));
  }

  /** forget gives the session up: what is unanswered is in doubt. */
  private forget() {
    this.token = "";
    this.ticket = undefined;
    this.fail(new InDoubtError("session lost"));
    this.next = 1;
    this.lastSeq = this.acked = 0;
    this.report({ state: "reload" });
  }

  private fail(why: Error) {
    const pending = this.pending;
    this.pending = [];
    for (const p of pending) {
      if (!p.done) continue;
      clearTimeout(p.done.timer);
      p.done.reject(why);
    }
  }

  private end(why: string) {
    if (this.ended) return;
    this.ended = true;
    this.ready = false;
    clearInterval(this.beat);
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
    this.fail(new Error(`client ended: ${why}`));
    this.report({ state: "ended", why });
  }

  private write(raw: Uint8Array<ArrayBuffer>) {
    if (this.socket?.readyState === 1) this.socket.send(raw);
  }

  private report(s: State) { this.options.onState?.(s); }
}
