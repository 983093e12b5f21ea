// SPDX-License-Identifier: MIT

import { useEffect, useState } from "preact/hooks";
import { Glyph, ItemIcon } from "./icons";
import type { Ware } from "./game";
import type { World } from "./world";

type Props = { world: World };

const effect = (w: Ware) =>
  [w.heal && `heals ${w.heal}`, w.attack && `+${w.attack} attack`, w.defense && `+${w.defense} defense`].filter(Boolean).join(", ") || "for sale";

const Price = ({ gold }: { gold: bigint }) => <span class="gold"><Glyph name="coin" />{String(gold)}</span>;

export function BagPanel({ world }: Props) {
  const bag = world.self?.bag ?? [];
  const run = async (what: () => Promise<unknown>) => { await world.attempt(what); await world.refreshSheet(); };
  if (bag.length === 0) return <p class="dim">Empty. Slimes leave jelly behind, wolves pelts.</p>;
  return (
    <ul class="wares">
      {bag.map((s) => {
        const w = world.wares.get(s.item);
        if (!w) return null;
        return (
          <li key={s.item} data-item={s.item}>
            <ItemIcon name={w.icon} />
            <div><b>{w.name} <small>×{s.count}</small></b><span>{effect(w)}</span></div>
            {w.heal > 0 && <button onClick={() => run(() => world.player!.use(s.item))}>Use</button>}
            <button class="quiet" onClick={() => run(() => world.player!.sell(s.item, 1))}>Sell <Price gold={w.price / 2n} /></button>
          </li>
        );
      })}
    </ul>
  );
}

export function ShopPanel({ world }: Props) {
  const [busy, setBusy] = useState(0);
  const buy = async (item: number) => { setBusy(item); await world.buy(item); setBusy(0); };
  return (
    <>
      <ul class="wares">
        {[...world.wares.values()].filter((w) => w.sold).map((w) => (
          <li key={w.item}>
            <ItemIcon name={w.icon} />
            <div><b>{w.name}</b><span>{effect(w)}</span></div>
            <button data-buy={w.item} disabled={busy !== 0 || (world.self?.gold ?? 0n) < w.price} onClick={() => void buy(w.item)}>
              {busy === w.item ? "…" : <>Buy <Price gold={w.price} /></>}
            </button>
          </li>
        ))}
      </ul>
      <p class="dim">A purchase is in the database before you see it here, whatever node dies next.</p>
    </>
  );
}

export function MailPanel({ world }: Props) {
  const [to, setTo] = useState(""), [text, setText] = useState(""), [gold, setGold] = useState("");
  const send = async (e: Event) => {
    e.preventDefault();
    const sent = await world.attempt(async () => { await world.player!.write(to.trim(), "", text, BigInt(gold || "0"), 0, 0); return true; });
    if (sent) { setText(""); setGold(""); world.notice("The letter is on its way."); void world.refreshSheet(); }
  };
  const claim = async (id: bigint) => { await world.attempt(() => world.player!.claim(id)); await world.refreshMail(); await world.refreshSheet(); };
  const value = (set: (v: string) => void) => (e: Event) => set((e.target as HTMLInputElement).value);
  return (
    <>
      <ul class="letters">
        {world.letters.length === 0 && <p class="dim">No letters.</p>}
        {world.letters.map((l) => (
          <li key={String(l.id)}>
            <div><b>{l.from}</b><span>{l.text || l.subject}</span></div>
            {l.gold > 0n && <Price gold={l.gold} />}
            {l.count > 0 && <span>{l.count}× {world.wares.get(l.item)?.name}</span>}
            <button onClick={() => void claim(l.id)}>{l.gold > 0n || l.count > 0 ? "Take" : "Done"}</button>
          </li>
        ))}
      </ul>
      <form class="write" onSubmit={send}>
        <input placeholder="to" aria-label="To" value={to} maxLength={16} onInput={value(setTo)} />
        <input placeholder="gold" aria-label="Gold" inputMode="numeric" pattern="[0-9]*" value={gold} maxLength={7} onInput={value(setGold)} />
        <input class="text" placeholder="Text" aria-label="Text" value={text} maxLength={200} onInput={value(setText)} />
        <button disabled={to.trim().length < 3}>Send</button>
      </form>
    </>
  );
}

export function GuildPanel({ world }: Props) {
  const [name, setName] = useState(""), [members, setMembers] = useState<string[]>([]);
  const guild = world.self?.guild ?? "";
  const load = async () => setMembers((await world.attempt(() => world.player!.guildMembers())) ?? []);
  useEffect(() => { void load(); }, [guild]);
  const run = async (what: () => Promise<unknown>) => { await world.attempt(what); await world.refreshSheet(); };
  if (guild) {
    return (
      <>
        <p>You belong to <b>{guild}</b>.</p>
        <ul class="names">{members.map((m) => <li key={m}>{m}</li>)}</ul>
        <button class="quiet" onClick={() => run(() => world.player!.leaveGuild())}>Leave</button>
      </>
    );
  }
  return (
    <form class="write" onSubmit={(e) => { e.preventDefault(); void run(() => world.player!.joinGuild(name.trim())); }}>
      <input class="text" placeholder="Name of the guild" aria-label="Name of the guild" value={name} maxLength={16} onInput={(e) => setName((e.target as HTMLInputElement).value)} />
      <button disabled={name.trim().length < 3}>Join</button>
      <button type="button" disabled={name.trim().length < 3} onClick={() => void run(() => world.player!.foundGuild(name.trim()))}>Found</button>
    </form>
  );
}

export function RankPanel({ world }: Props) {
  return (
    <ol class="rank">
      {world.ranking.map((s) => (
        <li key={String(s.id)} class={s.id === world.self?.id ? "me" : ""}><b>{s.name}</b><span>level {s.level}</span><em>{String(s.xp)} XP</em></li>
      ))}
      {world.ranking.length === 0 && <p class="dim">Nobody has done anything yet.</p>}
    </ol>
  );
}
