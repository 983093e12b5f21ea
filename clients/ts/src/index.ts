// SPDX-License-Identifier: MIT

export { Client, InDoubtError, StatusError } from "./client.js";
export type { Options, PushEvent, State, Ticket } from "./client.js";
export type { Route } from "./frame.js";
