// Waiting for what nobody reports, asked again and again without a fixed time: between sockets of the same process on each turn of
// its event loop, and after that, for other processes, less often.

import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'

/** ms. Generous, never reached when all is well. */
const PATIENCE = 10_000
const TURNS = 1000
/** ms. */
const PAUSE = 5

/** Resolves as soon as `condition` holds; fails with `what` when it does not in time. @param patience ms */
export async function until(
  condition: () => boolean,
  what: string | (() => string),
  patience = PATIENCE,
): Promise<void> {
  const end = Date.now() + patience
  for (let asked = 0; !condition(); asked++) {
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${typeof what === 'string' ? what : what()}`)
    await (asked < TURNS ? turn() : pause(PAUSE))
  }
}
