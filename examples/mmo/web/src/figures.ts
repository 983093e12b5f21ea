// SPDX-License-Identifier: MIT

// How everything that stands on the ground looks. Coordinates are units with
// the feet at the origin.

import type { Prop } from "./scenery";

type Ctx = CanvasRenderingContext2D;

const TUNICS = ["#c8553d", "#2f6690", "#6a994e", "#8e5aa8", "#d68c45", "#3a7d7c", "#b5446e", "#5a6acf", "#a98467", "#4f772d", "#e0a458", "#577590"];
const HAIR = ["#3b2a20", "#6b4426", "#c99a4b", "#1f1d1d", "#8d3b1f", "#b9b4aa"];

export function shadow(g: Ctx, width: number): void {
  g.fillStyle = "rgba(20, 30, 15, 0.28)";
  g.beginPath();
  g.ellipse(0, 0.4, width, width * 0.42, 0, 0, 7);
  g.fill();
}

function disc(g: Ctx, x: number, y: number, r: number, colour: string): void {
  g.fillStyle = colour;
  g.beginPath();
  g.arc(x, y, r, 0, 7);
  g.fill();
}

/** hero draws a player. t is a clock in seconds, swing the progress of a stroke from 0 to 1. */
export function hero(g: Ctx, look: number, dx: number, walking: number, t: number, swing: number, own: boolean): void {
  const tunic = TUNICS[look % 12]!, hair = HAIR[(look * 7 + 3) % 6]!;
  const stride = Math.sin(t * 13) * walking, bob = Math.abs(Math.cos(t * 13)) * walking * 0.9;
  if (own) {
    g.strokeStyle = "rgba(255, 240, 170, 0.85)";
    g.lineWidth = 0.8;
    g.beginPath();
    g.ellipse(0, 0.4, 6.6, 3, 0, 0, 7);
    g.stroke();
  }
  shadow(g, 5);
  g.save();
  g.scale(dx < 0 ? -1 : 1, 1);
  g.fillStyle = "#3d3328";
  g.fillRect(-2.6 + stride * 1.4, -3.4, 2.2, 3.6);
  g.fillRect(0.5 - stride * 1.4, -3.4, 2.2, 3.6);
  g.translate(0, -bob);
  // sword behind the hand
  g.save();
  g.translate(3.4, -6);
  g.rotate(swing > 0 ? -1.5 + Math.sin(swing * Math.PI) * 2.6 : -0.5 + stride * 0.15);
  g.fillStyle = "#e6ebef";
  g.fillRect(0.5, -0.55, 8, 1.1);
  g.fillStyle = "#8a6a3b";
  g.fillRect(-0.8, -1.3, 1.1, 2.6);
  g.restore();
  g.fillStyle = tunic;
  g.beginPath();
  g.roundRect(-3.8, -9.6, 7.6, 7.4, 2.6);
  g.fill();
  g.fillStyle = "rgba(0, 0, 0, 0.16)";
  g.fillRect(-3.8, -4.9, 7.6, 1.1);
  disc(g, 3.5, -6 + stride * 0.5, 1.4, "#f2c9a0");
  disc(g, -3.7, -6 - stride * 0.5, 1.4, "#f2c9a0");
  disc(g, 0, -12, 4, "#f6d3ac");
  g.fillStyle = hair;
  g.beginPath();
  g.arc(-0.2, -12.8, 4.1, Math.PI * 0.95, Math.PI * 2.05);
  g.arc(-1.6, -12.4, 2.8, Math.PI * 1.9, Math.PI * 0.85);
  g.fill();
  disc(g, 1.2, -11.7, 0.55, "#2b2320");
  disc(g, 2.9, -11.7, 0.5, "#2b2320");
  g.restore();
}

export function monster(g: Ctx, look: number, dx: number, walking: number, t: number): void {
  g.save();
  g.scale(dx < 0 ? -1 : 1, 1);
  if (look === 2) wolf(g, walking, t);
  else if (look === 3) skeleton(g, walking, t);
  else slime(g, walking, t);
  g.restore();
}

function slime(g: Ctx, walking: number, t: number): void {
  const squash = Math.sin(t * (4 + walking * 6)) * (0.05 + walking * 0.1), w = 6.2 * (1 + squash), h = 8 * (1 - squash);
  shadow(g, w);
  const body = g.createLinearGradient(0, -h, 0, 0);
  body.addColorStop(0, "#a8f0c6");
  body.addColorStop(1, "#39a57e");
  g.fillStyle = body;
  g.beginPath();
  g.moveTo(-w, 0);
  g.bezierCurveTo(-w, -h * 1.25, w, -h * 1.25, w, 0);
  g.quadraticCurveTo(0, 2, -w, 0);
  g.fill();
  disc(g, -1.6, -h * 0.62, 1.4, "rgba(255, 255, 255, 0.7)");
  disc(g, 1, -h * 0.42, 0.9, "#17362c");
  disc(g, 3.6, -h * 0.42, 0.9, "#17362c");
}

function wolf(g: Ctx, walking: number, t: number): void {
  const run = Math.sin(t * 15) * walking;
  shadow(g, 7.5);
  g.fillStyle = "#4c505b";
  for (const [x, phase] of [[-5, 1], [-3, -1], [3, -1], [5, 1]] as const) g.fillRect(x + run * phase * 1.3 - 0.8, -4, 1.6, 4.2);
  g.strokeStyle = "#5d626f";
  g.lineWidth = 2.2;
  g.lineCap = "round";
  g.beginPath();
  g.moveTo(-6, -6.5);
  g.quadraticCurveTo(-9, -8 + run, -10, -5.5);
  g.stroke();
  g.fillStyle = "#6d7381";
  g.beginPath();
  g.ellipse(0, -6, 7, 3.6, 0, 0, 7);
  g.fill();
  g.beginPath();
  g.ellipse(6.4, -8.2, 3.4, 2.9, 0.2, 0, 7);
  g.fill();
  g.beginPath();
  g.moveTo(4.2, -10); g.lineTo(5, -13.4); g.lineTo(6.6, -10.6);
  g.moveTo(6.8, -10.7); g.lineTo(8.4, -13.2); g.lineTo(8.9, -9.8);
  g.fill();
  g.fillStyle = "#8d93a0";
  g.beginPath();
  g.ellipse(9.2, -7.4, 2, 1.3, 0.1, 0, 7);
  g.fill();
  disc(g, 10.8, -7.7, 0.6, "#1d1d22");
  disc(g, 7.4, -8.9, 0.6, "#ffd166");
}

function skeleton(g: Ctx, walking: number, t: number): void {
  const stride = Math.sin(t * 10) * walking;
  shadow(g, 4.8);
  g.strokeStyle = "#e9e4d4";
  g.lineCap = "round";
  g.lineWidth = 1.4;
  g.beginPath();
  g.moveTo(-1.2, -5); g.lineTo(-1.8 + stride * 2, 0);
  g.moveTo(1.2, -5); g.lineTo(1.8 - stride * 2, 0);
  g.moveTo(0, -5); g.lineTo(0, -10.6);
  g.moveTo(-2.6, -9.6); g.lineTo(-4.4, -6 + stride);
  g.moveTo(2.6, -9.6); g.lineTo(5, -7.4 - stride);
  g.stroke();
  g.lineWidth = 0.9;
  for (const y of [-9.8, -8.4, -7]) { g.beginPath(); g.moveTo(-2.6, y); g.lineTo(2.6, y); g.stroke(); }
  g.fillStyle = "#f4f0e2";
  g.beginPath();
  g.roundRect(-3, -16.4, 6.2, 5.4, 2.6);
  g.fill();
  g.fillRect(-1.4, -11.6, 3.4, 1.6);
  disc(g, -0.6, -13.8, 0.9, "#3a2020");
  disc(g, 1.9, -13.8, 0.9, "#3a2020");
  g.strokeStyle = "#8f8a7a";
  g.lineWidth = 1.1;
  g.beginPath();
  g.moveTo(5, -7.4); g.lineTo(8, -13.5 - stride);
  g.stroke();
}

export function loot(g: Ctx, t: number): void {
  shadow(g, 3.4);
  const lift = Math.sin(t * 3) * 0.7;
  g.save();
  g.translate(0, -3.4 - lift);
  g.fillStyle = "#a7713f";
  g.beginPath();
  g.moveTo(-2.8, 2.6);
  g.quadraticCurveTo(-3.6, -1.4, -1.2, -2);
  g.lineTo(1.2, -2);
  g.quadraticCurveTo(3.6, -1.4, 2.8, 2.6);
  g.fill();
  g.fillStyle = "#f2d16b";
  g.fillRect(-1.5, -2.5, 3, 0.9);
  g.restore();
  g.fillStyle = `rgba(255, 245, 190, ${0.5 + Math.sin(t * 5) * 0.4})`;
  for (let i = 0; i < 3; i++) {
    const a = t * 1.6 + i * 2.1;
    g.fillRect(Math.cos(a) * 5, -4 + Math.sin(a) * 3, 0.8, 0.8);
  }
}

/** prop draws scenery; opacity is less than 1 where it hides the player. */
export function prop(g: Ctx, p: Prop, tree: string, trunk: string, t: number, opacity: number): void {
  g.globalAlpha = opacity;
  drawProp(g, p, tree, trunk, t, opacity);
  g.globalAlpha = 1;
}

function drawProp(g: Ctx, p: Prop, tree: string, trunk: string, t: number, opacity: number): void {
  switch (p.kind) {
    case "tree": return drawTree(g, p, tree, trunk, t, opacity);
    case "rock": return rock(g, p);
    case "house": return house(g, p);
    case "fountain": return fountain(g, t);
    case "stall": return stall(g, p);
    case "lamp": return lamp(g, t);
  }
}

function drawTree(g: Ctx, p: Prop, leaves: string, trunk: string, t: number, opacity: number): void {
  const s = p.size, sway = Math.sin(t * 0.9 + p.x) * 0.35;
  shadow(g, s * 0.72);
  g.fillStyle = trunk;
  g.fillRect(-s * 0.11, -s * 0.75, s * 0.22, s * 0.78);
  disc(g, sway - s * 0.34, -s * 0.95, s * 0.5, leaves);
  disc(g, sway + s * 0.36, -s * 0.92, s * 0.48, leaves);
  disc(g, sway, -s * 1.35, s * 0.56, leaves);
  g.globalAlpha = (0.16 + p.tone * 0.1) * opacity;
  disc(g, sway - s * 0.16, -s * 1.5, s * 0.33, "#f4ffd0");
  disc(g, sway - s * 0.46, -s * 1.05, s * 0.22, "#f4ffd0");
  g.globalAlpha = 1;
}

function rock(g: Ctx, p: Prop): void {
  const s = p.size;
  shadow(g, s);
  g.fillStyle = "#8d9088";
  g.beginPath();
  g.moveTo(-s, 0); g.lineTo(-s * 0.7, -s * 0.7); g.lineTo(0, -s); g.lineTo(s * 0.8, -s * 0.55); g.lineTo(s, 0);
  g.fill();
  g.fillStyle = "rgba(255, 255, 255, 0.22)";
  g.beginPath();
  g.moveTo(-s * 0.7, -s * 0.7); g.lineTo(0, -s); g.lineTo(s * 0.1, -s * 0.5); g.lineTo(-s * 0.5, -s * 0.3);
  g.fill();
}

const ROOFS = ["#b5523b", "#4f6d8f", "#8a6d3b", "#6b7f4a"];

function house(g: Ctx, p: Prop): void {
  const s = p.size;
  g.fillStyle = "rgba(20, 30, 15, 0.25)";
  g.beginPath();
  g.ellipse(3, 1, s * 1.02, s * 0.3, 0, 0, 7);
  g.fill();
  g.fillStyle = "#efe2c4";
  g.fillRect(-s * 0.85, -s * 0.95, s * 1.7, s * 0.98);
  g.fillStyle = "#6a4a30";
  g.fillRect(-s * 0.85, -s * 0.95, s * 0.08, s * 0.98);
  g.fillRect(s * 0.77, -s * 0.95, s * 0.08, s * 0.98);
  g.fillRect(-s * 0.15, -s * 0.5, s * 0.32, s * 0.53);
  g.fillStyle = "#ffdf8e";
  g.fillRect(-s * 0.62, -s * 0.62, s * 0.28, s * 0.26);
  g.fillRect(s * 0.36, -s * 0.62, s * 0.28, s * 0.26);
  g.fillStyle = ROOFS[Math.floor(p.tone * 4) % 4]!;
  g.beginPath();
  g.moveTo(-s, -s * 0.9); g.lineTo(-s * 0.62, -s * 1.55); g.lineTo(s * 0.62, -s * 1.55); g.lineTo(s, -s * 0.9);
  g.fill();
  g.strokeStyle = "rgba(0, 0, 0, 0.14)";
  g.lineWidth = 0.7;
  for (const y of [1.08, 1.24, 1.4]) { g.beginPath(); g.moveTo(-s * 0.9, -s * y); g.lineTo(s * 0.9, -s * y); g.stroke(); }
}

function fountain(g: Ctx, t: number): void {
  shadow(g, 18);
  g.fillStyle = "#b9b6aa";
  g.beginPath(); g.ellipse(0, -2, 16, 8, 0, 0, 7); g.fill();
  g.fillStyle = "#8f8d83";
  g.beginPath(); g.ellipse(0, -3.4, 16, 8, 0, 0, 7); g.fill();
  g.fillStyle = "#5fb4d9";
  g.beginPath(); g.ellipse(0, -4, 13.6, 6.4, 0, 0, 7); g.fill();
  g.strokeStyle = "rgba(255, 255, 255, 0.4)";
  g.lineWidth = 0.6;
  for (let i = 0; i < 3; i++) {
    const r = ((t * 0.5 + i / 3) % 1) * 12;
    g.globalAlpha = 1 - r / 12;
    g.beginPath(); g.ellipse(0, -4, r, r * 0.47, 0, 0, 7); g.stroke();
  }
  g.globalAlpha = 1;
  g.fillStyle = "#c9c6bb";
  g.fillRect(-1.8, -16, 3.6, 12);
  g.beginPath(); g.ellipse(0, -16, 5, 2, 0, 0, 7); g.fill();
  g.fillStyle = "rgba(190, 230, 250, 0.9)";
  for (let i = 0; i < 14; i++) {
    const p = (t * 0.9 + i / 14) % 1, a = i * 2.4;
    g.fillRect(Math.cos(a) * p * 9, -17 - Math.sin(p * Math.PI) * 7 + p * 11, 0.9, 0.9);
  }
}

function stall(g: Ctx, p: Prop): void {
  const s = p.size;
  shadow(g, s);
  g.fillStyle = "#7a5636";
  g.fillRect(-s * 0.9, -s * 0.5, s * 1.8, s * 0.5);
  g.fillRect(-s * 0.9, -s * 1.3, s * 0.1, s * 0.9);
  g.fillRect(s * 0.8, -s * 1.3, s * 0.1, s * 0.9);
  for (let i = 0; i < 6; i++) {
    g.fillStyle = i % 2 ? "#f6efe0" : p.tone < 0.5 ? "#c8553d" : "#2f6690";
    g.beginPath();
    g.moveTo(-s + (i * s) / 3, -s * 1.2);
    g.lineTo(-s * 0.8 + (i * s * 0.8) / 3, -s * 1.65);
    g.lineTo(-s * 0.8 + ((i + 1) * s * 0.8) / 3, -s * 1.65);
    g.lineTo(-s + ((i + 1) * s) / 3, -s * 1.2);
    g.fill();
  }
  for (let i = 0; i < 5; i++) disc(g, -s * 0.6 + i * s * 0.3, -s * 0.58, s * 0.11, ["#e76f51", "#f2c14e", "#90be6d", "#c9ada7", "#e9c46a"][i]!);
}

function lamp(g: Ctx, t: number): void {
  shadow(g, 2);
  g.fillStyle = "#3e3a35";
  g.fillRect(-0.6, -13, 1.2, 13);
  disc(g, 0, -14, 5 + Math.sin(t * 4) * 0.3, "rgba(255, 220, 130, 0.22)");
  disc(g, 0, -14, 1.8, "#ffe3a0");
}
