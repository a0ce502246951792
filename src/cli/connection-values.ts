// The values of the flags by which tsmq-pub and tsmq-sub reach a broker.

import type { connectionOptions } from '../options/connection-options.js'
import type { ValuesOf } from '../options/option.js'

export type ConnectionValues = ValuesOf<typeof connectionOptions>
