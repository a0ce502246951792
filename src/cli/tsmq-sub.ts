// The entry of tsmq-sub: the command on this process.
import { exit } from './exit.js'
import { rawArguments } from './raw-arguments.js'
import { sub } from './tsmq-sub-command.js'

sub(rawArguments(process), process).then(exit)
