// SPDX-License-Identifier: MIT

// Keys and fingers. The left half of a touch screen is a stick that appears
// under the finger.

import type { World } from "./world";

const KEYS: Record<string, [number, number]> = {
  KeyW: [0, -1], ArrowUp: [0, -1], KeyS: [0, 1], ArrowDown: [0, 1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0], KeyD: [1, 0], ArrowRight: [1, 0],
};

export interface Stick { id: number; x: number; y: number; dx: number; dy: number }
export const stick: { now: Stick | undefined } = { now: undefined };

const typing = () => document.activeElement instanceof HTMLInputElement || document.activeElement instanceof HTMLTextAreaElement;

export function listen(world: World, canvas: HTMLCanvasElement): void {
  const down = new Set<string>();
  const update = () => {
    let x = 0, y = 0;
    for (const code of down) { x += KEYS[code]?.[0] ?? 0; y += KEYS[code]?.[1] ?? 0; }
    world.inputX = Math.sign(x);
    world.inputY = Math.sign(y);
  };
  addEventListener("keydown", (e) => {
    if (typing()) return;
    if (e.code in KEYS) { down.add(e.code); update(); e.preventDefault(); }
    if (e.code === "Space") { world.attacking = true; e.preventDefault(); }
    if (e.code === "KeyQ" && !e.repeat) void world.drink();
    if (e.code === "Enter") { document.querySelector<HTMLInputElement>("#say")?.focus(); e.preventDefault(); }
  });
  addEventListener("keyup", (e) => {
    down.delete(e.code);
    update();
    if (e.code === "Space") world.attacking = false;
  });
  addEventListener("blur", () => { down.clear(); update(); world.attacking = false; });

  canvas.addEventListener("pointerdown", (e) => {
    (document.activeElement as HTMLElement | null)?.blur();
    if (e.pointerType === "mouse") { world.attacking = true; return; }
    if (stick.now) return;
    stick.now = { id: e.pointerId, x: e.clientX, y: e.clientY, dx: 0, dy: 0 };
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    const s = stick.now;
    if (!s || s.id !== e.pointerId) return;
    const dx = e.clientX - s.x, dy = e.clientY - s.y, length = Math.hypot(dx, dy), limit = Math.min(length, 52);
    s.dx = length ? (dx / length) * limit : 0;
    s.dy = length ? (dy / length) * limit : 0;
    world.inputX = s.dx / 52;
    world.inputY = s.dy / 52;
  });
  const release = (e: PointerEvent) => {
    world.attacking = false;
    if (stick.now?.id !== e.pointerId) return;
    stick.now = undefined;
    world.inputX = world.inputY = 0;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
}
