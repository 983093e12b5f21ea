// SPDX-License-Identifier: MIT

// The ground of a zone: painted once per tile of 160 units, from the zone's
// number alone, so that all players see the same trees.

import { CELL, SIDE } from "./view";
import type { Zone } from "./world";

interface Palette { base: string; patch: string; blade: string; path: string; tree: string; trunk: string; accent: string[]; trees: number; rocks: number }

const PALETTES: Record<number, Palette> = {
  1: { base: "#6fa84f", patch: "#66a047", blade: "#85bb61", path: "#d3b683", tree: "#3f7d3a", trunk: "#6a4a30", accent: ["#ffd166", "#ef767a", "#ffffff"], trees: 5, rocks: 1 },
  2: { base: "#54854a", patch: "#4b7a43", blade: "#6a9a59", path: "#b59b71", tree: "#2c5f35", trunk: "#54402c", accent: ["#c8e6a0", "#e9d985"], trees: 14, rocks: 2 },
  3: { base: "#dcc68d", patch: "#d2ba7d", blade: "#e8d8a8", path: "#b99f70", tree: "#5e9b57", trunk: "#8a6a44", accent: ["#f28482", "#ffffff", "#84a9c0"], trees: 3, rocks: 3 },
  4: { base: "#6d9763", patch: "#628a63", blade: "#8cb37c", path: "#a99a78", tree: "#4a7350", trunk: "#5b4b38", accent: ["#cdb4db", "#f7e1a0"], trees: 6, rocks: 1 },
  5: { base: "#9c9482", patch: "#918977", blade: "#aca491", path: "#c9bda1", tree: "#6f6a58", trunk: "#4c463b", accent: ["#e8e2d0"], trees: 2, rocks: 8 },
  6: { base: "#8c9a63", patch: "#818f5a", blade: "#a3ad79", path: "#c5b285", tree: "#566b43", trunk: "#5d4a37", accent: ["#b388c9", "#d9a5d0"], trees: 4, rocks: 4 },
};

/** random returns a generator of numbers in [0, 1) that depends on its seed only. */
function random(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = s;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Prop { kind: "tree" | "rock" | "house" | "fountain" | "stall" | "lamp"; x: number; y: number; size: number; tone: number }

const PIXELS = 4; // per unit, of the painted tiles

export class Scenery {
  readonly props: Prop[] = [];
  readonly palette: Palette;
  private tiles = new Map<number, HTMLCanvasElement>();

  constructor(readonly zone: Zone) {
    this.palette = PALETTES[zone.look] ?? PALETTES[1]!;
    this.plant();
  }

  /** onPath reports whether a point is near a road: from town to the borders with neighbours. */
  private onPath(x: number, y: number, margin: number): boolean {
    const { townX, townY, neighbours: [north, east, south, west] } = this.zone;
    if (Math.hypot(x - townX, y - townY) < 92 + margin) return true;
    const near = (a: number, b: number) => Math.abs(a - b) < 13 + margin;
    return (!!north && y < townY && near(x, townX)) || (!!south && y > townY && near(x, townX)) ||
      (!!west && x < townX && near(y, townY)) || (!!east && x > townX && near(y, townY));
  }

  private plant(): void {
    const r = random(this.zone.zone * 7919);
    for (let cell = 0; cell < SIDE * SIDE; cell++) {
      const left = (cell % SIDE) * CELL, top = Math.floor(cell / SIDE) * CELL;
      const add = (kind: "tree" | "rock", count: number, low: number, high: number) => {
        for (let i = 0; i < count; i++) {
          const x = left + r() * CELL, y = top + r() * CELL, size = low + r() * (high - low), tone = r();
          if (!this.onPath(x, y, 16)) this.props.push({ kind, x, y, size, tone });
        }
      };
      add("tree", this.palette.trees, 9, 17);
      add("rock", this.palette.rocks, 3, 7);
    }
    const { townX: x, townY: y } = this.zone;
    this.props.push({ kind: "fountain", x, y, size: 16, tone: 0 });
    const houses: [number, number, number][] = [[-66, -52, 0.05], [58, -60, 0.4], [-70, 46, 0.7], [66, 50, 0.25]];
    for (const [dx, dy, tone] of houses) this.props.push({ kind: "house", x: x + dx, y: y + dy, size: 24, tone });
    this.props.push({ kind: "stall", x: x - 2, y: y - 56, size: 15, tone: 0.1 }, { kind: "stall", x: x + 4, y: y + 66, size: 15, tone: 0.6 });
    for (const [dx, dy] of [[-34, -30], [34, -30], [-34, 30], [34, 30]] as const) this.props.push({ kind: "lamp", x: x + dx, y: y + dy, size: 9, tone: 0 });
    this.props.sort((a, b) => a.y - b.y);
  }

  tile(cell: number): HTMLCanvasElement {
    let c = this.tiles.get(cell);
    if (!c) {
      c = this.paint(cell);
      this.tiles.set(cell, c);
    }
    return c;
  }

  private paint(cell: number): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = CELL * PIXELS;
    const g = canvas.getContext("2d", { alpha: false })!;
    const left = (cell % SIDE) * CELL, top = Math.floor(cell / SIDE) * CELL, p = this.palette;
    g.scale(PIXELS, PIXELS);
    g.fillStyle = p.base;
    g.fillRect(0, 0, CELL, CELL);
    g.translate(-left, -top);
    this.patches(g, left, top);
    this.paths(g);
    this.blades(g, cell, left, top);
    return canvas;
  }

  /** patches are soft spots that cross the borders of tiles. */
  private patches(g: CanvasRenderingContext2D, left: number, top: number): void {
    const r = random(this.zone.zone * 104729);
    for (let i = 0; i < 260; i++) {
      const x = r() * 1280, y = r() * 1280, size = 18 + r() * 46, squash = 0.5 + r() * 0.4, light = r() < 0.35;
      if (x < left - 70 || x > left + CELL + 70 || y < top - 70 || y > top + CELL + 70) continue;
      g.fillStyle = light ? this.palette.blade : this.palette.patch;
      g.globalAlpha = light ? 0.22 : 0.5;
      g.beginPath();
      g.ellipse(x, y, size, size * squash, 0, 0, 7);
      g.fill();
    }
    g.globalAlpha = 1;
  }

  private paths(g: CanvasRenderingContext2D): void {
    const { townX: x, townY: y, neighbours: [north, east, south, west] } = this.zone;
    const lay = (width: number, colour: string) => {
      g.strokeStyle = g.fillStyle = colour;
      g.lineWidth = width;
      g.lineCap = "round";
      g.beginPath();
      if (north) { g.moveTo(x, y); g.lineTo(x, -20); }
      if (south) { g.moveTo(x, y); g.lineTo(x, 1300); }
      if (west) { g.moveTo(x, y); g.lineTo(-20, y); }
      if (east) { g.moveTo(x, y); g.lineTo(1300, y); }
      g.stroke();
      g.beginPath();
      g.arc(x, y, 88 + (width - 24) / 2, 0, 7);
      g.fill();
    };
    lay(27, "rgba(70, 55, 30, 0.22)");
    lay(23, this.palette.path);
    g.strokeStyle = "rgba(255, 255, 255, 0.16)";
    g.lineWidth = 1.4;
    for (const radius of [30, 52, 74]) { g.beginPath(); g.arc(x, y, radius, 0, 7); g.stroke(); }
    g.strokeStyle = "rgba(90, 70, 40, 0.13)";
    for (let i = 0; i < 24; i++) {
      const a = (i / 24) * Math.PI * 2;
      g.beginPath();
      g.moveTo(x + Math.cos(a) * 30, y + Math.sin(a) * 30);
      g.lineTo(x + Math.cos(a) * 86, y + Math.sin(a) * 86);
      g.stroke();
    }
  }

  private blades(g: CanvasRenderingContext2D, cell: number, left: number, top: number): void {
    const r = random(this.zone.zone * 31 + cell * 977 + 5), p = this.palette;
    g.lineWidth = 0.7;
    for (let i = 0; i < 230; i++) {
      const x = left + r() * CELL, y = top + r() * CELL, flower = r() < 0.09, pick = r();
      if (this.onPath(x, y, 2)) continue;
      if (flower) {
        g.fillStyle = p.accent[Math.floor(pick * p.accent.length)]!;
        g.beginPath();
        g.arc(x, y, 0.9, 0, 7);
        g.arc(x + 1.8, y + 0.8, 0.7, 0, 7);
        g.fill();
        continue;
      }
      g.strokeStyle = pick < 0.5 ? p.blade : p.patch;
      g.beginPath();
      g.moveTo(x - 1.2, y - 2);
      g.lineTo(x, y);
      g.lineTo(x + 1.4, y - 2.2);
      g.stroke();
    }
  }
}
