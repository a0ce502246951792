// The entry of tsmq-sub: the command on this process.
import { exit } from './exit.js'
import { sub } from './tsmq-sub-command.js'

exit(await sub(process.argv.slice(2), process))
