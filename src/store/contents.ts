// What a store holds, record by record, for those who look at it from outside. A broker that starts reads it in its own way.

import { recordOf } from './batch.js'
import { firstNumber, secondNumber, Table } from './keys.js'
import { type MessageRecord, readMessage } from './message-record.js'
import { RecordReader } from './record-reader.js'
import {
  type DeliveryRecord,
  type ProgressRecord,
  readProgress,
  readSegment,
  readSession,
  readSubscription,
  type SessionRecord,
  type SubscriptionRecord,
} from './session-records.js'
import type { Store } from './store.js'
import { readWill, type WillRecord } from './will-record.js'

/** One record. Those of a session carry its number; a message that is shared comes before the deliveries that refer to it. */
export type Content =
  | ({ readonly kind: 'session'; readonly number: number } & SessionRecord)
  | ({ readonly kind: 'progress'; readonly session: number } & ProgressRecord)
  | ({ readonly kind: 'subscription'; readonly session: number } & SubscriptionRecord)
  | { readonly kind: 'message'; readonly number: number; readonly message: MessageRecord }
  | ({ readonly kind: 'delivery'; readonly session: number } & DeliveryRecord)
  | { readonly kind: 'retained'; readonly message: MessageRecord }
  | ({ readonly kind: 'will' } & WillRecord)

/**
 * Tells everything in a store; payloads are views that are valid until the call returns.
 * @throws StoreError
 */
export async function readContents(store: Store, each: (content: Content) => void): Promise<void> {
  /** Deliveries of a session before this place are finished. */
  const heads = new Map<number, number>()
  await store.load((key, value) => {
    const record = recordOf(value)
    const number = firstNumber(key)
    switch (key[0]) {
      case Table.SESSION:
        each({ kind: 'session', number, ...readSession(record) })
        return
      case Table.PROGRESS: {
        const progress = readProgress(record)
        heads.set(number, progress.head)
        each({ kind: 'progress', session: number, ...progress })
        return
      }
      case Table.SUBSCRIPTION:
        each({ kind: 'subscription', session: number, ...readSubscription(record) })
        return
      case Table.MESSAGE:
        each({ kind: 'message', number, message: readMessage(new RecordReader(record)) })
        return
      case Table.SEGMENT:
        for (const delivery of readSegment(record, secondNumber(key)))
          if (delivery.place >= (heads.get(number) ?? 0)) each({ kind: 'delivery', session: number, ...delivery })
        return
      case Table.RETAINED:
        each({ kind: 'retained', message: readMessage(new RecordReader(record)) })
        return
      case Table.WILL:
        each({ kind: 'will', ...readWill(record) })
    }
  })
}
