// SPDX-License-Identifier: MIT

import { useEffect, useRef, useState } from "preact/hooks";
import { Glyph } from "./icons";
import type { World } from "./world";

const CHANNELS = ["world", "zone", "guild", "whisper"] as const;

export function Chat({ world }: { world: World }) {
  const [channel, setChannel] = useState<(typeof CHANNELS)[number]>("world");
  const [to, setTo] = useState("");
  const [line, setLine] = useState("");
  const [open, setOpen] = useState(innerWidth > 700);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => { if (end.current) end.current.scrollTop = end.current.scrollHeight; }, [world.chat.length, open]);

  const say = async (e: Event) => {
    e.preventDefault();
    const text = line.trim();
    if (!text) { (document.activeElement as HTMLElement | null)?.blur(); return; }
    setLine("");
    await world.attempt(() => world.player!.say(channel, to, text));
  };
  const answer = (from: string) => { setChannel("whisper"); setTo(from.replace(/^to /, "")); };
  return (
    <section class={`chat glass ${open ? "open" : ""}`}>
      <div class="lines" id="chat" ref={end} aria-live="polite">
        {world.chat.length === 0 && <p class="dim">Nobody has said anything yet.</p>}
        {world.chat.slice(open ? -80 : -2).map((c, i) => (
          <p key={`${c.at}-${i}`} class={c.channel}><button onClick={() => answer(c.from)}>{c.from}</button> {c.text}</p>
        ))}
      </div>
      {open && (
        <form onSubmit={say}>
          <select value={channel} aria-label="Channel" onChange={(e) => setChannel((e.target as HTMLSelectElement).value as typeof channel)}>
            {CHANNELS.map((c) => <option key={c} value={c}>{c}</option>)}
          </select>
          {channel === "whisper" && <input class="to" aria-label="To" placeholder="to" value={to} maxLength={16} onInput={(e) => setTo((e.target as HTMLInputElement).value)} />}
          <input id="say" aria-label="Say" placeholder="Say something" autoComplete="off" maxLength={200} value={line} onInput={(e) => setLine((e.target as HTMLInputElement).value)}
            onKeyDown={(e) => { if (e.key === "Escape") (e.target as HTMLInputElement).blur(); }} />
        </form>
      )}
      <button class="fold" aria-label={open ? "Fold chat" : "Open chat"} onClick={() => setOpen(!open)}>{open ? "▾" : <Glyph name="chat" />}</button>
    </section>
  );
}
