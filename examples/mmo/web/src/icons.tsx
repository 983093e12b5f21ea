// SPDX-License-Identifier: MIT

import type { JSX } from "preact";

const ITEMS: Record<string, JSX.Element> = {
  potion: <><path d="M13 5h6v5l4 8a6 6 0 0 1-5.4 9h-3.2A6 6 0 0 1 9 18l4-8z" fill="#cfe8f3" opacity=".5" /><path d="M10 18h12a5.5 5.5 0 0 1-4.6 8h-2.8A5.5 5.5 0 0 1 10 18z" fill="#e5484d" /><path d="M12.4 4h7.2v2.6h-7.2z" fill="#a9744f" /></>,
  bread: <><path d="M5 17c0-6 5-8 11-8s11 2 11 8c0 4-2 6-11 6S5 21 5 17z" fill="#d99a4e" /><path d="M11 12l2 5M16 11l2 5M21 12l2 4" stroke="#f4d7a0" stroke-width="2" stroke-linecap="round" /></>,
  sword: <><path d="M25 4l3 3-14 15-4-4z" fill="#dfe6ec" /><path d="M9 16l7 7-2 2-7-7zM8 21l3 3-4 4-3-3z" fill="#9a6b38" /></>,
  shield: <><path d="M16 4l10 3v8c0 7-5 11-10 13C11 26 6 22 6 15V7z" fill="#8a6238" /><path d="M16 7l7 2v6c0 5-3.400 8-7 9.700z" fill="#b58a52" /><circle cx="16" cy="15" r="2.600" fill="#e7d3a1" /></>,
  ring: <><circle cx="16" cy="19" r="8" fill="none" stroke="#f2c14e" stroke-width="3" /><path d="M16 4l5 5-5 5-5-5z" fill="#f2873d" /></>,
  pelt: <path d="M8 5l4 4h8l4-4 1 6 3 4-5 3 1 8-5-3-3 5-3-5-5 3 1-8-5-3 3-4z" fill="#7b8190" />,
  jelly: <><path d="M6 24c0-12 5-16 10-16s10 4 10 16z" fill="#57c99a" /><circle cx="13" cy="14" r="2.200" fill="#e0fff0" opacity=".8" /></>,
  bone: <path d="M8 20l12-12a3.600 3.600 0 1 1 5 1 3.600 3.600 0 1 1-1 5L12 26a3.600 3.600 0 1 1-5-1 3.600 3.600 0 1 1 1-5z" fill="#efe9d8" />,
};

export const ItemIcon = ({ name }: { name: string }) => <svg class="icon" viewBox="0 0 32 32" aria-hidden="true">{ITEMS[name] ?? <circle cx="16" cy="16" r="9" fill="#bbb" />}</svg>;

const PATHS: Record<string, string> = {
  bag: "M8 9V7a4 4 0 0 1 8 0v2h3l1 12H4L5 9zm2 0h4V7a2 2 0 0 0-4 0z",
  shop: "M3 4h18l1 6a3 3 0 0 1-2 2.800V21H4v-8.200A3 3 0 0 1 2 10zM7 14v4h5v-4z",
  mail: "M3 5h18v14H3zm2 2.500v1l7 4.500 7-4.500v-1l-7 4.500z",
  rank: "M7 3h10v3h4c0 4-2 6-5 6.500A5 5 0 0 1 13 15v3h4v3H7v-3h4v-3a5 5 0 0 1-3-2.500C5 12 3 10 3 6h4z",
  guild: "M12 2l8 3v6c0 5-3.500 9-8 11-4.500-2-8-6-8-11V5z",
  world: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 3c1 0 2.500 2.600 2.900 6H9.100C9.500 7.600 11 5 12 5zm-6.900 6C5.400 8.600 6.700 6.700 8.300 5.700 7.600 7.200 7.200 9 7.100 11zm0 2h2c.1 2 .5 3.800 1.200 5.300C6.700 17.300 5.400 15.400 5.100 13zm4 0h5.800c-.4 3.400-1.900 6-2.900 6s-2.500-2.600-2.900-6z",
  coin: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 3.500 1.500 3.200 3.500.4-2.600 2.400.7 3.500-3.100-1.700-3.100 1.700.7-3.500L7 10.100l3.500-.4z",
  sword: "M20 3l1 1-9 11-3-3zM7.500 12.500l4 4-1.500 1.500-1.600-1.600L5 20l-1-1 3.600-3.400L6 14z",
  heal: "M10 3h4v7h7v4h-7v7h-4v-7H3v-4h7z",
  chat: "M3 4h18v12H9l-5 4v-4H3z",
};

export const Glyph = ({ name }: { name: string }) => <svg class="glyph" viewBox="0 0 24 24" aria-hidden="true"><path d={PATHS[name] ?? ""} fill="currentColor" fill-rule="evenodd" /></svg>;
