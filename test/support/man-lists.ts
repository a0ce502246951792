// Which lists made from the tables stand in which manual page. `npm run man` writes them (.ci/man.mjs), and a test fails when a
// page is behind its tables; how a list looks in mdoc is in src/options/man-page.ts, but for those of tables above that room.
import { exitStatusesOf } from '../../src/cli/exit-statuses.js'
import { conversions } from '../../src/cli/message-format.js'
import { accessOptions } from '../../src/options/access-options.js'
import { bridgeOptions } from '../../src/options/bridge-options.js'
import { brokerOptions, pluginOptions } from '../../src/options/broker-options.js'
import { limitOptions } from '../../src/options/limit-options.js'
import { listenerOptions } from '../../src/options/listener-options.js'
import { directiveList, flagList, replaceList, unusedList } from '../../src/options/man-page.js'
import type { Directive } from '../../src/options/option.js'
import { passwdOptions } from '../../src/options/passwd-options.js'
import { processOptions } from '../../src/options/process-options.js'
import { pubOptions } from '../../src/options/pub-options.js'
import { subOptions } from '../../src/options/sub-options.js'
import { wrap } from '../../src/options/text.js'
import { tsmqOptions } from '../../src/options/tsmq-options.js'
import { type PropertyCarrier, properties } from '../../src/protocol/properties.js'

type Lists = Readonly<Record<string, string>>

const everyDirective: readonly Directive[] = [...brokerOptions, ...listenerOptions, ...bridgeOptions, ...pluginOptions]

/** The lists of each page by their names in the markers. */
export const manLists: Readonly<Record<string, Lists>> = {
  'tsmq.8': { options: flagList(tsmqOptions) },
  'tsmq.conf.5': {
    access: directiveList(accessOptions),
    listeners: directiveList(listenerOptions),
    limits: directiveList(limitOptions),
    process: directiveList(processOptions),
    bridges: directiveList(bridgeOptions),
    differs: differences(everyDirective),
    plugins: directiveList(pluginOptions),
    unused: unusedList(everyDirective),
  },
  'tsmq-pub.1': {
    options: flagList(pubOptions),
    properties: propertyList(),
    exits: exitList('tsmq-pub'),
  },
  'tsmq-sub.1': {
    options: flagList(subOptions),
    conversions: conversionList(),
    properties: propertyList(),
    exits: exitList('tsmq-sub'),
  },
  'tsmq-plugin.7': {},
  'tsmq-passwd.1': { options: flagList(passwdOptions) },
}

/** `page` with every list that belongs to the page `name` as the tables have it now. */
export function withLists(name: string, page: string): string {
  return Object.entries(manLists[name] ?? {}).reduce((text, [list, items]) => replaceList(text, list, items), page)
}

function differences(table: readonly Directive[]): string {
  const items = table.flatMap((row) =>
    row.differs === undefined ? [] : [`.It Cm ${row.name} , No default Cm ${row.default}\n${row.differs}\n`],
  )
  return `.Bl -tag -width Ds\n${items.join('')}.El\n`
}

function exitList(command: 'tsmq-pub' | 'tsmq-sub'): string {
  const rows = exitStatusesOf(command).map(([status, text]) => `.It ${status}\n${wrap(`${text}.`, 78).join('\n')}\n`)
  return `.Bl -tag -width Ds\n${rows.join('')}.El\n`
}

function conversionList(): string {
  const rows = conversions.map(({ letter, layout, help }) => `.It \\&%${letter} Ta ${layout} Ta ${help}\n`)
  return `.Bl -column "xxxx" "integer" "text"\n${rows.join('')}.El\n`
}

/** What `-D` takes, by command. */
function propertyList(): string {
  const carriers: readonly PropertyCarrier[] = ['CONNECT', 'PUBLISH', 'Will', 'SUBSCRIBE', 'UNSUBSCRIBE', 'DISCONNECT']
  const items = carriers.map((carrier) => {
    const names = properties
      .filter(
        ({ carriers: all, only }) => all.includes(carrier) && !(only?.carrier === carrier && only.sender === 'server'),
      )
      .map(({ name }) => name.replaceAll('-', '\\-'))
    return `.It Cm ${carrier.toLowerCase()}\n${names.join(',\n')}\n`
  })
  return `.Bl -tag -width Ds\n${items.join('')}.El\n`
}
