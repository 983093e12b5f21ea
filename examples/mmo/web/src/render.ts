// SPDX-License-Identifier: MIT

// One frame of the picture.

import * as figures from "./figures";
import { stick } from "./input";
import { Scenery } from "./scenery";
import { CELL, Kind, SIDE, SIZE, type Entity } from "./view";
import type { World } from "./world";

export class Renderer {
  private scenery: Scenery | undefined;
  private camX = 0;
  private camY = 0;
  private last = 0;
  fps = 60;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly world: World) {}

  start(): void {
    const frame = (now: number) => {
      const seconds = Math.min((now - this.last) / 1000, 0.1);
      this.last = now;
      if (seconds > 0) this.fps += (1 / seconds - this.fps) * 0.05;
      this.world.step(now, seconds);
      this.world.view.place(now);
      this.draw(now, seconds);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  private draw(now: number, seconds: number): void {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const width = innerWidth, height = innerHeight;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const g = this.canvas.getContext("2d", { alpha: false })!;
    const zone = this.world.zone;
    if (!zone) { this.idle(g, now, width * ratio, height * ratio); return; }
    if (this.scenery?.zone.zone !== zone.zone) {
      this.scenery = new Scenery(zone);
      this.camX = this.world.x;
      this.camY = this.world.y;
    }
    const scale = Math.max(width / 400, height / 360, 2.2) * ratio;
    const halfW = (width * ratio) / scale / 2, halfH = (height * ratio) / scale / 2;
    const follow = 1 - Math.exp(-seconds * 9);
    this.camX += (this.world.x - this.camX) * follow;
    this.camY += (this.world.y - this.camY) * follow;
    const x = clamp(this.camX, halfW - 30, SIZE - halfW + 30), y = clamp(this.camY, halfH - 30, SIZE - halfH + 30);
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.fillStyle = "#22352b";
    g.fillRect(0, 0, this.canvas.width, this.canvas.height);
    g.setTransform(scale, 0, 0, scale, -(x - halfW) * scale, -(y - halfH) * scale);
    this.ground(g, x - halfW, y - halfH, x + halfW, y + halfH);
    this.things(g, now, x - halfW, y - halfH, x + halfW, y + halfH);
    this.numbers(g, now);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.light(g, width, height);
    if (stick.now) this.joystick(g);
  }

  /** idle is the picture behind the login. */
  private idle(g: CanvasRenderingContext2D, now: number, width: number, height: number): void {
    const zone = { zone: 1, name: "", look: 1, node: "", handle: 0, x: 640, y: 640, townX: 640, townY: 640, neighbours: [0, 2, 4, 0] as [number, number, number, number] };
    this.scenery ??= new Scenery(zone);
    const scale = Math.max(width / 420, height / 380), t = now / 1000;
    const x = 640 + Math.cos(t * 0.05) * 60, y = 630 + Math.sin(t * 0.07) * 40;
    g.setTransform(scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale);
    const w = width / scale / 2 + 30, h = height / scale / 2 + 30;
    this.ground(g, x - w, y - h, x + w, y + h);
    this.things(g, now, x - w, y - h, x + w, y + h);
  }

  private ground(g: CanvasRenderingContext2D, left: number, top: number, right: number, bottom: number): void {
    for (let cy = Math.max(Math.floor(top / CELL), 0); cy < SIDE && cy * CELL < bottom; cy++) {
      for (let cx = Math.max(Math.floor(left / CELL), 0); cx < SIDE && cx * CELL < right; cx++) {
        g.drawImage(this.scenery!.tile(cy * SIDE + cx), cx * CELL, cy * CELL, CELL + 0.2, CELL + 0.2);
      }
    }
  }

  /** things draws all that stands, from the back to the front. */
  private things(g: CanvasRenderingContext2D, now: number, left: number, top: number, right: number, bottom: number): void {
    const t = now / 1000, { tree, trunk } = this.scenery!.palette, own = this.world.zone?.handle;
    const list: { y: number; draw: () => void }[] = [];
    for (const p of this.scenery!.props) {
      if (p.x < left - 40 || p.x > right + 40 || p.y < top - 10 || p.y > bottom + 60) continue;
      const hides = this.world.zone !== undefined && p.y > this.world.y && p.y - this.world.y < p.size * 1.7 && Math.abs(p.x - this.world.x) < p.size;
      list.push({ y: p.y, draw: () => at(g, p.x, p.y, () => { figures.prop(g, p, tree, trunk, t, hides ? 0.45 : 1); }) });
    }
    for (const e of this.world.view.entities.values()) {
      if (e.handle === own || e.x < left - 20 || e.x > right + 20 || e.y < top - 10 || e.y > bottom + 30) continue;
      list.push({ y: e.y, draw: () => this.entity(g, e, now) });
    }
    if (this.world.self && this.world.zone) list.push({ y: this.world.y, draw: () => this.own(g, now) });
    list.sort((a, b) => a.y - b.y);
    for (const thing of list) thing.draw();
    this.labels(g, own);
  }

  private entity(g: CanvasRenderingContext2D, e: Entity, now: number): void {
    const t = now / 1000 + (e.handle % 64) * 0.37, age = (now - e.born) / 300;
    g.globalAlpha = Math.min(age + 0.1, 1);
    at(g, e.x, e.y, () => {
      if (now - e.struck < 140) g.translate(Math.sin(now) * 0.8, 0);
      if (e.kind === Kind.Player) figures.hero(g, e.look, e.dx, e.walking, t, this.swing(e.handle, now), false);
      else if (e.kind === Kind.Monster) figures.monster(g, e.look, e.dx, e.walking, t);
      else figures.loot(g, t);
    });
    g.globalAlpha = 1;
  }

  private swing(handle: number, now: number): number {
    for (const h of this.world.view.hits) if (h.from === handle && now - h.t < 260) return (now - h.t) / 260;
    return 0;
  }

  private own(g: CanvasRenderingContext2D, now: number): void {
    const w = this.world, age = now - w.swing;
    g.globalAlpha = w.link === "online" ? 1 : 0.55;
    at(g, w.x, w.y, () => figures.hero(g, w.self!.look, w.dx, w.walking, now / 1000, age < 260 ? age / 260 : 0, true));
    g.globalAlpha = 1;
  }

  /** labels draws names, the nearest first, and leaves out those without room. */
  private labels(g: CanvasRenderingContext2D, own: number | undefined): void {
    const taken: { x: number; y: number; width: number }[] = [];
    const plate = (x: number, y: number, text: string, colour: string) => {
      g.font = '600 4.2px "Trebuchet MS", system-ui, sans-serif';
      const width = g.measureText(text).width;
      if (taken.some((t) => Math.abs(t.y - y) < 5 && Math.abs(t.x - x) < (t.width + width) / 2 + 1)) return;
      taken.push({ x, y, width });
      g.textAlign = "center";
      g.lineWidth = 1.2;
      g.lineJoin = "round";
      g.strokeStyle = "rgba(18, 24, 14, 0.72)";
      g.strokeText(text, x, y);
      g.fillStyle = colour;
      g.fillText(text, x, y);
    };
    if (this.world.self && this.world.zone) plate(this.world.x, this.world.y - 18.6, this.world.self.name, "#ffe9a3");
    const near = [...this.world.view.entities.values()].filter((e) => e.handle !== own && e.kind !== Kind.Loot)
      .map((e) => ({ e, far: Math.hypot(e.x - this.world.x, e.y - this.world.y) })).sort((a, b) => a.far - b.far);
    for (const { e, far } of near) {
      const high = e.kind === Kind.Player ? 18.6 : e.look === 3 ? 19 : 14.5;
      if (e.kind === Kind.Player && far < 170) plate(e.x, e.y - high, e.name, "#ffffff");
      if (e.hp < e.maxHp && e.maxHp > 0) {
        const width = 12;
        g.fillStyle = "rgba(15, 20, 12, 0.65)";
        g.fillRect(e.x - width / 2 - 0.5, e.y - high + 1, width + 1, 2.2);
        g.fillStyle = e.kind === Kind.Monster ? "#e4572e" : "#7bc950";
        g.fillRect(e.x - width / 2, e.y - high + 1.5, width * Math.max(e.hp / e.maxHp, 0), 1.2);
      }
    }
  }

  private numbers(g: CanvasRenderingContext2D, now: number): void {
    g.textAlign = "center";
    for (const h of this.world.view.hits) {
      const f = (now - h.t) / 900, mine = h.from === this.world.zone?.handle, me = h.to === this.world.zone?.handle;
      const x = me ? this.world.x : h.x, y = me ? this.world.y : h.y;
      g.globalAlpha = 1 - f * f;
      g.font = `800 ${mine || me ? 7 : 5}px "Trebuchet MS", system-ui, sans-serif`;
      g.lineWidth = 1.4;
      g.strokeStyle = "rgba(30, 15, 5, 0.8)";
      g.fillStyle = me ? "#ff6b57" : mine ? "#ffe07a" : "#f1f1e6";
      g.strokeText(String(h.amount), x, y - 18 - f * 12);
      g.fillText(String(h.amount), x, y - 18 - f * 12);
    }
    g.globalAlpha = 1;
  }

  private light(g: CanvasRenderingContext2D, width: number, height: number): void {
    const r = Math.hypot(width, height) / 2;
    const glow = g.createRadialGradient(width / 2, height / 2, r * 0.55, width / 2, height / 2, r);
    glow.addColorStop(0, "rgba(15, 25, 20, 0)");
    glow.addColorStop(1, "rgba(15, 25, 20, 0.42)");
    g.fillStyle = glow;
    g.fillRect(0, 0, width, height);
  }

  private joystick(g: CanvasRenderingContext2D): void {
    const s = stick.now!;
    g.fillStyle = "rgba(255, 255, 255, 0.14)";
    g.strokeStyle = "rgba(255, 255, 255, 0.5)";
    g.lineWidth = 2;
    g.beginPath(); g.arc(s.x, s.y, 54, 0, 7); g.fill(); g.stroke();
    g.fillStyle = "rgba(255, 255, 255, 0.55)";
    g.beginPath(); g.arc(s.x + s.dx, s.y + s.dy, 24, 0, 7); g.fill();
  }
}

function clamp(v: number, low: number, high: number): number {
  return low > high ? (low + high) / 2 : Math.min(Math.max(v, low), high);
}

function at(g: CanvasRenderingContext2D, x: number, y: number, draw: () => void): void {
  g.save();
  g.translate(x, y);
  draw();
  g.restore();
}
