// Retained messages from the store, as plugins want to have them: kept, changed, or dropped for good.

import type { RetainedMessages } from '../routing/retained-messages.js'
import type { Points } from './points.js'

export function changedRetained(retained: RetainedMessages, change: NonNullable<Points['retainedLoading']>): void {
  for (const message of retained.all()) {
    const now = change(message)
    if (now === message) continue
    if (now?.topic !== message.topic) retained.remove(message.topic)
    if (now !== undefined) retained.apply(now)
  }
}
