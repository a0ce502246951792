// The entry of tsmq: the broker on this process.
import { exit } from './exit.js'
import { runBroker } from './tsmq-command.js'

exit(await runBroker(process.argv.slice(2)))
