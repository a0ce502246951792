// The entry of tsmq-passwd: the command on this process. A reader of stdout that has gone away changes nothing; output that could
// not be written for another reason is a failure.
import { EXIT_STATUS, exit } from './exit.js'
import { passwd } from './tsmq-passwd-command.js'

let isLost = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  process.stderr.write(`Error: cannot write to standard output: ${error.message}\n`)
  isLost = true
})
passwd(process.argv.slice(2), process).then((status) => {
  // A write that failed is told only after this turn of the event loop.
  setImmediate(() => exit(isLost ? EXIT_STATUS.failure : status))
})
