// The entry of tsmq-passwd: the command on this process.
import { exit } from './exit.js'
import { passwd } from './tsmq-passwd-command.js'

exit(await passwd(process.argv.slice(2), process))
