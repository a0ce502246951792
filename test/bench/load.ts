// The load generator as a program: measures a broker on 127.0.0.1 from outside and prints one line of JSON.
//   node build/test/bench/load.js -p PORT -P publishers -S subscribers -k topics -q qos -s bytes -d seconds -w window
//     [-F] [-O] [-T] [-X] [-W other-subscriptions] [-b broker-pid] [-r rate] [-C idle-clients]
import { runIdleLoad } from './idle-load.js'
import { parseLoadOptions } from './load-options.js'
import { MessageLoad } from './message-load.js'

const options = parseLoadOptions(process.argv.slice(2))
const result = options.idle > 0 ? await runIdleLoad(options) : await new MessageLoad(options).run()
console.log(JSON.stringify(result, (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value)))
