// The entry of tsmq: the broker on this process.
import { exitSoon } from './exit.js'
import { runBroker } from './tsmq-command.js'

exitSoon(await runBroker(process.argv.slice(2)))
