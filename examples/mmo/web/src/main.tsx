// SPDX-License-Identifier: MIT

import { render } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { ClusterPanel } from "./cluster";
import { Chat } from "./chat";
import { Glyph } from "./icons";
import { listen } from "./input";
import { BagPanel, GuildPanel, MailPanel, RankPanel, ShopPanel } from "./panels";
import { Renderer } from "./render";
import { message, world } from "./world";
import "./style.css";

/** useWorld re-renders a component when the world has changed. */
function useWorld() {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => world.subscribe(() => again(0)), []);
  return world;
}

function Login() {
  const [name, setName] = useState(localStorage.getItem("name") ?? "");
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const enter = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setWhy("");
    try {
      await world.enter(name.trim());
    } catch (err) {
      setWhy(message(err));
      setBusy(false);
    }
  };
  return (
    <div class="login">
      <form class="card" onSubmit={enter}>
        <h1>Greenmeadow</h1>
        <p>A small world on a cluster that you may break.</p>
        <label for="name">Name of your character</label>
        <input id="name" value={name} maxLength={16} autoComplete="off" autoFocus placeholder="3 to 16 letters"
          onInput={(e) => setName((e.target as HTMLInputElement).value)} />
        <button class="primary" id="enter" disabled={busy || name.trim().length < 3}>{busy ? "Entering…" : "Enter the world"}</button>
        {why && <p class="error" role="alert">{why}</p>}
        <p class="hint"><kbd>W</kbd><kbd>A</kbd><kbd>S</kbd><kbd>D</kbd> walk · <kbd>Space</kbd> strike · <kbd>Q</kbd> eat · <kbd>Enter</kbd> chat</p>
      </form>
    </div>
  );
}

function Bar({ part, kind, text }: { part: number; kind: string; text: string }) {
  return <div class={`bar ${kind}`}><i style={{ width: `${Math.min(Math.max(part, 0), 1) * 100}%` }} /><span>{text}</span></div>;
}

/** previous is the experience at which a level began. */
function previous(level: number): number { return (level * (level - 1) / 2) * 50; }

function Portrait() {
  const w = useWorld(), s = w.self;
  if (!s) return null;
  const from = s.level === 1 ? 0 : previous(s.level), span = Number(s.nextXp) - from;
  return (
    <section class="portrait glass">
      <div class="level" title="Level">{s.level}</div>
      <div class="stats">
        <header><b>{s.name}</b><span class="gold" id="gold"><Glyph name="coin" />{String(s.gold)}</span></header>
        <Bar kind="hp" part={s.hp / s.maxHp} text={`${s.hp} / ${s.maxHp}`} />
        <Bar kind="xp" part={(Number(s.xp) - from) / Math.max(span, 1)} text={`${s.xp} / ${s.nextXp} XP`} />
      </div>
    </section>
  );
}

const PANELS = { bag: BagPanel, shop: ShopPanel, mail: MailPanel, guild: GuildPanel, rank: RankPanel };
type PanelName = keyof typeof PANELS;
const TITLES: Record<PanelName, string> = { bag: "Bag", shop: "Shop", mail: "Mail", guild: "Guild", rank: "Ranking" };

function Game() {
  const w = useWorld();
  const [open, setOpen] = useState<PanelName | undefined>();
  const toggle = (name: PanelName) => {
    setOpen(open === name ? undefined : name);
    if (name === "mail") { w.newMail = 0; void w.refreshMail(); }
    if (name === "rank") void w.refreshRanking();
    if (name === "bag") void w.refreshSheet();
  };
  const Panel = open && PANELS[open];
  return (
    <>
      <Portrait />
      <ClusterPanel world={w} />
      <div class="notices" aria-live="polite">{w.notices.map((n) => <div key={n.id}>{n.text}</div>)}</div>
      {w.link === "lost" && <div class="lost">{w.ended ? `The session has ended: ${w.ended}` : "Connection lost. Finding another gate…"}</div>}
      {Panel && (
        <section class="panel glass" aria-label={TITLES[open]}>
          <header><Glyph name={open} /><h2>{TITLES[open]}</h2><button class="close" aria-label="Close" onClick={() => setOpen(undefined)}>×</button></header>
          <Panel world={w} />
        </section>
      )}
      <Chat world={w} />
      <nav class="menu glass">
        {(Object.keys(PANELS) as PanelName[]).map((name) => (
          <button key={name} id={`open-${name}`} class={open === name ? "on" : ""} title={TITLES[name]} aria-label={TITLES[name]} onClick={() => toggle(name)}>
            <Glyph name={name} /><span>{TITLES[name]}</span>
            {name === "mail" && w.newMail > 0 && <em>{w.newMail}</em>}
          </button>
        ))}
      </nav>
      <div class="actions">
        <button class="eat" aria-label="Eat or drink" onPointerDown={() => void w.drink()}><Glyph name="heal" /></button>
        <button class="strike" aria-label="Strike"
          onPointerDown={() => { w.attacking = true; }} onPointerUp={() => { w.attacking = false; }} onPointerLeave={() => { w.attacking = false; }}>
          <Glyph name="sword" />
        </button>
      </div>
    </>
  );
}

function App() {
  const w = useWorld();
  return w.self ? <Game /> : <Login />;
}

const canvas = document.querySelector<HTMLCanvasElement>("#world")!;
listen(world, canvas);
new Renderer(canvas, world).start();
world.watch();
render(<App />, document.querySelector("#hud")!);

// For the browser test and for the curious.
Object.assign(window, { world });
