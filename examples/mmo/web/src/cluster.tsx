// SPDX-License-Identifier: MIT

// Which node owns what: the map of the zone, the nodes, and the button that
// kills one.

import { useEffect, useRef, useState } from "preact/hooks";
import { Kind, SIZE } from "./view";
import type { NodeState, Rates, World } from "./world";

const COLOURS = ["#f2b84b", "#57b8a6", "#9a86d8", "#e07a5f", "#6c9bd2"];
export const colourOf = (world: World, node: string) => COLOURS[Math.max(0, world.live?.nodes.findIndex((n) => n.name === node) ?? 0) % COLOURS.length]!;

function Minimap({ world }: { world: World }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => {
      const c = ref.current, g = c?.getContext("2d"), zone = world.zone;
      if (!c || !g || !zone) return;
      const s = c.width / SIZE;
      g.fillStyle = "#2c4a36";
      g.fillRect(0, 0, c.width, c.height);
      g.strokeStyle = "rgba(211, 182, 131, .75)";
      g.lineWidth = 3;
      g.beginPath();
      const [north, east, south, west] = zone.neighbours, tx = zone.townX * s, ty = zone.townY * s;
      if (north) { g.moveTo(tx, ty); g.lineTo(tx, 0); }
      if (south) { g.moveTo(tx, ty); g.lineTo(tx, c.height); }
      if (west) { g.moveTo(tx, ty); g.lineTo(0, ty); }
      if (east) { g.moveTo(tx, ty); g.lineTo(c.width, ty); }
      g.stroke();
      g.fillStyle = "rgba(211, 182, 131, .75)";
      g.beginPath(); g.arc(tx, ty, 11, 0, 7); g.fill();
      for (const e of world.view.entities.values()) {
        if (e.handle === zone.handle) continue;
        g.fillStyle = e.kind === Kind.Player ? "#ffffff" : e.kind === Kind.Monster ? "#ff7a59" : "#ffe07a";
        g.beginPath(); g.arc(e.x * s, e.y * s, e.kind === Kind.Loot ? 1.5 : 2.4, 0, 7); g.fill();
      }
      g.fillStyle = "#ffd84d";
      g.strokeStyle = "#33240a";
      g.lineWidth = 1.5;
      g.beginPath(); g.arc(world.x * s, world.y * s, 4.4, 0, 7); g.fill(); g.stroke();
    };
    draw();
    const timer = setInterval(draw, 100);
    return () => clearInterval(timer);
  }, []);
  return <canvas class="map" ref={ref} width={216} height={216} aria-label="Map of the zone" />;
}

function Spark({ history, pick, label, value }: { history: Rates[]; pick: (r: Rates) => number; label: string; value: string }) {
  const top = Math.max(1, ...history.map(pick)), step = 100 / 59;
  const points = history.map((r, i) => `${(60 - history.length + i) * step},${26 - (pick(r) / top) * 23}`).join(" ");
  return (
    <div class="spark">
      <svg viewBox="0 0 100 27" preserveAspectRatio="none" aria-hidden="true">{history.length > 1 && <polyline points={points} fill="none" stroke="currentColor" stroke-width="1.6" vector-effect="non-scaling-stroke" />}</svg>
      <b>{value}</b><span>{label}</span>
    </div>
  );
}

function NodeRow({ world, node, alone }: { world: World; node: NodeState; alone: boolean }) {
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return;
    const timer = setTimeout(() => setSure(false), 2500);
    return () => clearTimeout(timer);
  }, [sure]);
  const zones = world.live?.zones.filter((z) => z.node === node.name) ?? [];
  return (
    <li class={node.up ? "" : "down"}>
      <i style={{ background: colourOf(world, node.name) }} />
      <div>
        <b>{node.name}</b>
        <span class="tags">
          {world.playerNode === node.name && <em class="you">you</em>}
          {world.zone?.node === node.name && <em class="zone">zone</em>}
          {world.gate === node.name && <em class="gate">gate</em>}
        </span>
        <small>{node.up ? `${node.sessions} players at its gate` : "down, coming back…"}</small>
        {zones.length > 0 && <small class="zones">{zones.map((z) => z.name).join(", ")}</small>}
      </div>
      {!alone && <button class={sure ? "kill sure" : "kill"} disabled={!node.up} data-kill={node.name}
        onClick={() => { if (sure) void world.kill(node.name); setSure(!sure); }}>{sure ? "Sure?" : "Kill"}</button>}
    </li>
  );
}

export function ClusterPanel({ world }: { world: World }) {
  const [open, setOpen] = useState(innerWidth > 700);
  const live = world.live, r = world.rates, n = (v: number) => v >= 10000 ? `${(v / 1000).toFixed(0)}k` : v >= 1000 ? `${(v / 1000).toFixed(1)}k` : v.toFixed(0);
  return (
    <aside class="side">
      <div class="mapbox glass">
        <Minimap world={world} />
        <div class="where"><b id="zone">{world.zone?.name ?? "…"}</b><span>{live?.zones.find((z) => z.id === world.zone?.zone)?.players ?? 0} here</span></div>
        <button class="pill" aria-expanded={open} onClick={() => setOpen(!open)}>
          {live?.nodes.map((node) => <i key={node.name} class={node.up ? "" : "down"} style={{ background: colourOf(world, node.name) }} />)} cluster {open ? "▴" : "▾"}
        </button>
      </div>
      {open && live && (
        <div class="cluster glass">
          <div class="owners">
            <span>You live on <b id="player-node" style={{ color: colourOf(world, world.playerNode) }}>{world.playerNode || "…"}</b></span>
            <span>The zone on <b id="zone-node" style={{ color: colourOf(world, world.zone?.node ?? "") }}>{world.zone?.node || "…"}</b></span>
          </div>
          <ul>{live.nodes.map((node) => <NodeRow key={node.name} world={world} node={node} alone={live.nodes.length < 2} />)}</ul>
          <div class="sparks">
            <Spark history={world.history} pick={(h) => h.moves} label="moves/s" value={n(r.moves)} />
            <Spark history={world.history} pick={(h) => h.pushes} label="pushes/s" value={n(r.pushes)} />
            <Spark history={world.history} pick={(h) => h.calls} label="calls/s" value={n(r.calls)} />
          </div>
        </div>
      )}
    </aside>
  );
}
