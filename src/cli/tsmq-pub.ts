// The entry of tsmq-pub: the command on this process.
import { exit } from './exit.js'
import { pub } from './tsmq-pub-command.js'

exit(await pub(process.argv.slice(2), process))
