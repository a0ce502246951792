// What the parts of a running broker share. Made once by `broker.ts`; a reload replaces `config`, `settings` and `access`.

import type { SharedMemory } from '../net/outbox.js'
import type { KeyLog } from '../net/tls.js'
import type { Config } from '../options/config.js'
import type { PublishFrames } from '../protocol/publish-frames.js'
import type { TopicTable } from '../protocol/topic-table.js'
import type { MessageRun } from '../session/message-run.js'
import type { AccessControl } from './access-control.js'
import type { Control } from './admin/control.js'
import type { Denials } from './admin/denials.js'
import type { Log } from './admin/log.js'
import type { Statistics } from './admin/statistics.js'
import type { MemoryLimit } from './memory-limit.js'
import type { Neighbours } from './neighbours.js'
import type { Journal } from './persistence/journal.js'
import type { Points } from './plugins/points.js'
import type { Router } from './routing/router.js'

/** Settings asked for each message: a small object, because `Config` is too large for quick access. */
export interface MessageSettings {
  readonly allowDuplicates: boolean
  readonly upgradeQos: boolean
  readonly queueQos0: boolean
  readonly retainAvailable: boolean
  /** Bytes of payload; 0 for no limit. */
  readonly messageSizeLimit: number
}

/** The settings of a configuration that each message asks for. */
export function messageSettings(config: Config): MessageSettings {
  return {
    allowDuplicates: config.allow_duplicate_messages,
    upgradeQos: config.upgrade_outgoing_qos,
    queueQos0: config.queue_qos0_messages,
    retainAvailable: config.retain_available,
    messageSizeLimit: config.message_size_limit,
  }
}

export interface BrokerContext {
  config: Config
  settings: MessageSettings
  access: AccessControl
  /** Where plugins are asked; those of none until they are loaded. */
  points: Points
  readonly log: Log
  readonly denials: Denials
  /** Of tsmq. */
  readonly version: string
  /** ms since 1970; the only clock there is. */
  readonly clock: () => number
  readonly router: Router
  readonly frames: PublishFrames
  /** Of the packets at hand. */
  readonly run: MessageRun
  readonly topics: TopicTable
  readonly memory: SharedMemory
  readonly statistics: Statistics
  readonly keyLog: KeyLog | undefined
  readonly memoryLimit: MemoryLimit
  readonly control: Control
  readonly neighbours: Neighbours
  /** With `persistence true`, once the store has been read. */
  journal: Journal | undefined
}
