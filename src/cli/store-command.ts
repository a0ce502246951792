// What --dump-store prints, and what --import-mosquitto-db does: both with the store that the configuration names, without a broker.

import { readFileSync } from 'node:fs'
import { storePath } from '../broker/persistence/persistence.js'
import type { Config } from '../options/config.js'
import { type Content, readContents } from '../store/contents.js'
import { LmdbStore } from '../store/lmdb-store.js'
import type { MessageRecord } from '../store/message-record.js'
import { readMosquittoDb } from '../store/mosquitto-db.js'
import { mosquittoBatch } from '../store/mosquitto-import.js'
import { StoreError } from '../store/store-error.js'
import { EXIT_STATUS } from './exit.js'
import { become, planIdentity } from './process-identity.js'

/** Where words go: what was asked for to `print`, everything else to `complain`. */
interface Voices {
  print(line: string): void
  complain(text: string): void
}

/** Prints what the store holds, as lines for people or as one JSON object a line. Returns the exit status. */
export async function dumpStore(config: Config, asJson: boolean, { print, complain }: Voices): Promise<number> {
  return guarded(complain, async () => {
    const store = await LmdbStore.read(storePath(config))
    const counts = new Map<string, number>()
    const dump = new Dump(print)
    try {
      await readContents(store, (content) => {
        counts.set(content.kind, (counts.get(content.kind) ?? 0) + 1)
        if (asJson) print(JSON.stringify(content, jsonValue))
        else dump.show(content)
      })
    } finally {
      await store.close()
    }
    const count = (kind: Content['kind']) => counts.get(kind) ?? 0
    complain(
      `${storePath(config)}: ${count('session')} sessions, ${count('subscription')} subscriptions, ${count('delivery')} queued messages, ` +
        `${count('retained')} retained messages, ${count('will')} wills`,
    )
  })
}

const NOTHING = Buffer.alloc(0)

/** Payloads in base64, Infinity as null. */
function jsonValue(key: string, value: unknown): unknown {
  if (key === 'message' && typeof value === 'object' && value !== null) {
    const { bytes, payloadStart, payloadEnd, ...rest } = value as MessageRecord
    return { ...rest, payload: bytes.toString('base64', payloadStart, payloadEnd) }
  }
  if (key === 'payload' && typeof value === 'object' && value !== null && 'data' in value)
    return Buffer.from(value.data as number[]).toString('base64')
  return value
}

/** Lines for people: sessions with what belongs to them, messages by topic and size. */
class Dump {
  private readonly print: (line: string) => void
  /** Client ids by session. */
  private readonly names = new Map<number, string>()
  private readonly messages = new Map<number, MessageRecord>()
  /** By session and place. */
  private readonly sent = new Map<string, string>()

  constructor(print: (line: string) => void) {
    this.print = print
  }

  show(content: Content): void {
    switch (content.kind) {
      case 'session': {
        const { clientId, username, expiryInterval, expiresAt } = content
        this.names.set(content.number, JSON.stringify(clientId))
        const lasts = expiryInterval === Number.POSITIVE_INFINITY ? 'lasts' : `lasts ${expiryInterval} s`
        const until = expiresAt === 0 || expiresAt === Number.POSITIVE_INFINITY ? '' : ` until ${dateText(expiresAt)}`
        const user = username === undefined ? '' : ` user ${JSON.stringify(username)}`
        this.print(`session ${JSON.stringify(clientId)}${user} ${lasts}${until}`)
        return
      }
      case 'progress':
        for (const { place, packetId, released } of content.sent)
          this.sent.set(`${content.session} ${place}`, ` m${packetId}${released ? ' released' : ''}`)
        if (content.openIds.length > 0)
          this.print(`incoming ${this.name(content.session)} QoS 2 identifiers ${content.openIds.join(' ')}`)
        return
      case 'subscription':
        this.print(`subscription ${this.name(content.session)} q${content.qos} ${JSON.stringify(content.filter)}`)
        return
      case 'message':
        this.messages.set(content.number, { ...content.message, bytes: NOTHING })
        return
      case 'delivery': {
        const message = typeof content.message === 'number' ? this.messages.get(content.message) : content.message
        const sent = this.sent.get(`${content.session} ${content.place}`) ?? ''
        this.print(`queued ${this.name(content.session)} q${content.qos}${sent} ${messageText(message)}`)
        return
      }
      case 'retained':
        this.print(`retained q${content.message.qos} ${messageText(content.message)}`)
        return
      case 'will':
        this.print(
          `will ${JSON.stringify(content.publisher.clientId)} ${JSON.stringify(content.will.topic)} ` +
            (content.due === 0 ? 'of a connected client' : `due ${dateText(content.due)}`),
        )
    }
  }

  private name(session: number): string {
    return this.names.get(session) ?? `#${session}`
  }
}

function messageText(message: MessageRecord | undefined): string {
  if (message === undefined) return '(its message is missing)'
  const { topic, payloadStart, payloadEnd, expiresAt } = message
  const expiry = expiresAt === Number.POSITIVE_INFINITY ? '' : ` until ${dateText(expiresAt)}`
  return `${JSON.stringify(topic)} (${payloadEnd - payloadStart} bytes)${expiry}`
}

function dateText(ms: number): string {
  return new Date(ms).toISOString()
}

/** Reads `file` into the store, which must be empty. Returns the exit status. */
export function importMosquittoDb(config: Config, file: string, { complain }: Voices): Promise<number> {
  return guarded(complain, async () => {
    const path = storePath(config)
    const bytes = readBytes(file)
    const { identity } = planIdentity(config.user, !config.positions.has('user'))
    // The store is to belong to the user that the broker becomes.
    if (identity !== undefined) become(identity, [])
    const { batch, counts } = mosquittoBatch(parse(file, bytes))
    const store = await LmdbStore.open(path)
    try {
      let isEmpty = true
      await store.load(() => {
        isEmpty = false
      })
      if (!isEmpty) throw new StoreError('in use', `${path} is not empty; name another one with persistence_file`)
      await new Promise<void>((resolve, reject) => {
        store.write(batch, (error) => (error === undefined ? resolve() : reject(error)))
      })
    } finally {
      await store.close()
    }
    const { sessions, subscriptions, deliveries, retained, skipped } = counts
    complain(
      `${file} → ${path}: ${sessions} sessions, ${subscriptions} subscriptions, ${deliveries} queued messages, ${retained} retained messages`,
    )
    if (skipped > 0)
      complain(`${skipped} entries were left out: they refer to clients or messages that are not in the file`)
    if (!config.persistence) complain('warning: the broker does not use the store without persistence true')
  })
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new StoreError('system', `cannot read ${file}: ${error instanceof Error ? error.message : error}`, error)
  }
}

function parse(file: string, bytes: Buffer): ReturnType<typeof readMosquittoDb> {
  try {
    return readMosquittoDb(bytes)
  } catch (error) {
    if (error instanceof StoreError)
      throw new StoreError(error.fault, `${file} cannot be imported: ${error.message}`, error)
    throw error
  }
}

async function guarded(complain: (text: string) => void, action: () => Promise<void>): Promise<number> {
  try {
    await action()
    return EXIT_STATUS.ok
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    complain(error.message)
    return EXIT_STATUS.failure
  }
}
