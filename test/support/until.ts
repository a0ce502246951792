// Waiting for what happens between sockets of the same process: asked again and again, without a fixed time.

import { setImmediate as turn } from 'node:timers/promises'

/** ms. Generous, never reached when all is well. */
const PATIENCE = 5000

/** Resolves as soon as `condition` holds; fails with `what` when it does not in time. @param patience ms */
export async function until(
  condition: () => boolean,
  what: string | (() => string),
  patience = PATIENCE,
): Promise<void> {
  for (const end = Date.now() + patience; !condition(); ) {
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${typeof what === 'string' ? what : what()}`)
    await turn()
  }
}
