// The store of a broker while it runs: opens it, fills the broker from it, keeps it up to date. Only with `persistence true`.

import { join } from 'node:path'
import type { Config } from '../../options/config.js'
import { LmdbStore } from '../../store/lmdb-store.js'
import type { Store } from '../../store/store.js'
import type { Session, SessionJournal } from '../clients/session.js'
import type { SessionKeeper, Sessions } from '../clients/sessions.js'
import type { BrokerContext } from '../context.js'
import type { Listeners } from '../listeners.js'
import type { PluginStates } from '../plugins/plugin-state.js'
import type { Wills } from '../routing/wills.js'
import { DurableRetained } from './durable-retained.js'
import { DurableSession } from './durable-session.js'
import { DurableState } from './durable-state.js'
import { DurableWills } from './durable-wills.js'
import { type Durability, Journal } from './journal.js'
import { type Restored, restore } from './restore.js'
import { StoredMessages } from './stored-messages.js'

/** The parts of a broker that have durable state. */
export interface DurableParts {
  readonly context: BrokerContext
  readonly listeners: Listeners
  readonly sessions: Sessions
  readonly wills: Wills
  readonly states: PluginStates
}

/** The file of the store that a configuration names. */
export function storePath({ persistence_location: folder, persistence_file: file }: Config): string {
  return folder === undefined ? file : join(folder, file)
}

/** Opens the store that a configuration names. */
export function openStore(config: Config): Promise<Store> {
  return LmdbStore.open(storePath(config))
}

export class Persistence implements SessionKeeper {
  private readonly context: BrokerContext
  private readonly journal: Journal
  private readonly messages: StoredMessages

  private constructor(context: BrokerContext, journal: Journal) {
    this.context = context
    this.journal = journal
    this.messages = new StoredMessages(journal)
  }

  /**
   * Fills a broker that does not serve yet from its store, and keeps that up to date from now on.
   * @throws StoreError; the store is closed then
   */
  static async start(store: Store, parts: DurableParts): Promise<Persistence> {
    const { context, sessions, wills, states } = parts
    const { log, clock, config, router } = context
    const startedAt = performance.now()
    const journal = new Journal(store, log, clock, durabilityOf(config))
    const persistence = new Persistence(context, journal)
    const durableWills = new DurableWills(journal)
    try {
      const { messages } = persistence
      const restored = await restore(store, { ...parts, journal, messages, durableWills })
      persistence.report(restored, performance.now() - startedAt)
    } catch (error) {
      await store.close()
      throw error
    }
    journal.begin()
    context.journal = journal
    sessions.keeper = persistence
    router.retained.journal = new DurableRetained(journal)
    wills.journal = durableWills
    states.journal = new DurableState(journal)
    return persistence
  }

  private report(restored: Restored, ms: number): void {
    const { log } = this.context
    const { sessions, subscriptions, deliveries, retained, wills, orphans } = restored
    log.info(
      `Restored ${sessions} sessions, ${subscriptions} subscriptions, ${deliveries} queued messages, ${retained} retained messages ` +
        `and ${wills} wills in ${Math.round(ms)} ms.`,
    )
    if (orphans > 0)
      log.error(`${orphans} entries of the store refer to something that is not there; they are left out.`)
  }

  keep(session: Session): SessionJournal {
    return new DurableSession(this.journal, this.messages, session)
  }

  /** Other settings are in force. */
  reload(config: Config): void {
    this.journal.durability = durabilityOf(config)
  }

  /** Writes what has changed. */
  save(): void {
    this.journal.save()
  }

  tick(now: number): void {
    this.journal.tick(now)
  }

  /** Writes what is left, once nothing changes any more, and closes the store. */
  close(): Promise<void> {
    return this.journal.close()
  }
}

function durabilityOf(config: Config): Durability {
  const { persistence_durability: durability, autosave_interval: interval, autosave_on_changes: countsChanges } = config
  return { isImmediate: durability === 'commit', interval: countsChanges ? interval : interval * 1000, countsChanges }
}
