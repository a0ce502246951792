// What the parts of a running broker share. Made once by `broker.ts`; a reload replaces `config` and `access`.

import type { SharedMemory } from '../net/connection.js'
import type { Config } from '../options/config.js'
import type { PublishFrames } from '../protocol/publish-frames.js'
import type { TopicTable } from '../protocol/topic-table.js'
import type { AccessControl } from './access-control.js'
import type { Log } from './admin/log.js'
import type { Statistics } from './admin/statistics.js'
import type { Sessions } from './clients/sessions.js'
import type { Router } from './routing/router.js'

export interface BrokerContext {
  config: Config
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
