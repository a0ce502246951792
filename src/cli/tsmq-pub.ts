// The entry of tsmq-pub: the command on this process.
import { exit } from './exit.js'
import { rawArguments } from './raw-arguments.js'
import { pub } from './tsmq-pub-command.js'

pub(rawArguments(process), process).then(exit)
