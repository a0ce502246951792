// What the parts of a running broker share. Made once by `broker.ts`; a reload replaces `config`, `delivery` and `access`.

import type { SharedMemory } from '../net/connection.js'
import type { Config } from '../options/config.js'
import type { PublishFrames } from '../protocol/publish-frames.js'
import type { TopicTable } from '../protocol/topic-table.js'
import type { AccessControl } from './access-control.js'
import type { Log } from './admin/log.js'
import type { Statistics } from './admin/statistics.js'
import type { Sessions } from './clients/sessions.js'
import type { Router } from './routing/router.js'

/** Settings asked for each delivery: a plain object, because `Config` is too large for quick access. */
export interface DeliverySettings {
  readonly allowDuplicates: boolean
  readonly upgradeQos: boolean
  readonly queueQos0: boolean
}

/** The settings of a configuration that each delivery asks for. */
export function deliverySettings(config: Config): DeliverySettings {
  return {
    allowDuplicates: config.allow_duplicate_messages,
    upgradeQos: config.upgrade_outgoing_qos,
    queueQos0: config.queue_qos0_messages,
  }
}

export interface BrokerContext {
  config: Config
  delivery: DeliverySettings
  access: AccessControl
  readonly log: Log
  /** Of tsmq. */
  readonly version: string
  /** ms since 1970; the only clock there is. */
  readonly clock: () => number
  readonly router: Router
  readonly sessions: Sessions
  readonly frames: PublishFrames
  readonly topics: TopicTable
  readonly memory: SharedMemory
  readonly statistics: Statistics
}
