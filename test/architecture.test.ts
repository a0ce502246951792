// The architecture as a test: which room may import which, no cycles, no file above 450 lines, one way out of the process. The
// rules are functions over the text of all source files, so that each is shown to fail on a small tree that breaks it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { describe, test } from 'node:test'

/** The rooms, and what each of them sees. */
const sees: Readonly<Record<string, readonly string[]>> = {
  index: ['library', 'broker', 'client', 'store', 'access', 'session', 'net', 'options', 'protocol'],
  library: ['version', 'broker', 'client', 'store', 'access', 'session', 'net', 'options', 'protocol'],
  plugins: ['broker', 'access', 'protocol'],
  cli: ['version', 'broker', 'client', 'store', 'access', 'session', 'net', 'options', 'protocol'],
  broker: ['client', 'store', 'access', 'session', 'net', 'options', 'protocol'],
  client: ['session', 'net', 'protocol'],
  store: ['session', 'protocol'],
  access: ['protocol'],
  session: ['protocol'],
  net: ['protocol'],
  options: [],
  protocol: [],
  version: [],
}
const MOST_LINES = 450
const ONLY_EXIT = 'cli/exit.ts'

/** Path below src, with `/`, → text. */
type Sources = ReadonlyMap<string, string>

interface Import {
  readonly from: string
  readonly to: string
  readonly isType: boolean
}

const importForms = [
  /^(?:import|export)\s+(?<type>type\s)?[^'";]*?\bfrom\s+'(?<path>\.[^']+)'/gm,
  /^import\s+'(?<path>\.[^']+)'/gm,
  /\bimport\(\s*'(?<path>\.[^']+)'\s*\)/g,
]

function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([from, text]) =>
    importForms.flatMap((form) =>
      [...text.matchAll(form)].map(({ groups = {} }) => ({
        from,
        to: posix.join(posix.dirname(from), groups.path ?? '').replace(/\.js$/, '.ts'),
        isType: groups.type !== undefined,
      })),
    ),
  )
}

function roomOf(file: string): string {
  const [room = '', rest] = file.split('/')
  return rest === undefined ? room.replace(/\.ts$/, '') : room
}

/** Imports that do not go down. */
function wrongWay(sources: Sources): string[] {
  const isAllowed = ({ from, to, isType }: Import): boolean => {
    const [room, other] = [roomOf(from), roomOf(to)]
    if (room === other) return true
    if (!sees[room]?.includes(other)) return false
    if (room === 'broker' && other === 'client') return from.startsWith('broker/bridge/')
    if ((room === 'store' && other === 'session') || (room === 'plugins' && other === 'broker')) return isType
    return room !== 'access' || to === 'protocol/topics.ts'
  }
  return importsOf(sources)
    .filter((each) => !isAllowed(each))
    .map(({ from, to }) => `${from} imports ${to}`)
}

function unknownRooms(sources: Sources): string[] {
  return [...sources.keys()].filter((file) => !(roomOf(file) in sees))
}

/** Imports of files that are not there, which no other rule would see. */
function danglingImports(sources: Sources): string[] {
  return importsOf(sources)
    .filter(({ to }) => !sources.has(to))
    .map(({ from, to }) => `${from} imports ${to}, which is not there`)
}

/** One line for each import that closes a circle. An import of types alone is gone when the program runs and closes none. */
function cycles(sources: Sources): string[] {
  const next = new Map<string, string[]>()
  for (const { from, to, isType } of importsOf(sources)) if (!isType) next.set(from, [...(next.get(from) ?? []), to])
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) found.push([...path.slice(at), file].join(' → '))
    if (at >= 0 || done.has(file)) return
    for (const other of next.get(file) ?? []) visit(other, [...path, file])
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return found
}

function longFiles(sources: Sources): string[] {
  return [...sources]
    .map(([file, text]) => ({ file, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MOST_LINES)
    .map(({ file, lines }) => `${file} has ${lines} lines`)
}

function otherExits(sources: Sources): string[] {
  return [...sources]
    .filter(([file, text]) => file !== ONLY_EXIT && /\bprocess\s*\.\s*(exit|abort|reallyExit)\s*\(/.test(text))
    .map(([file]) => file)
}

function readSources(folder: string): Sources {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  return new Map(files.map((file) => [relative(folder, file).split(sep).join('/'), readFileSync(file, 'utf8')]))
}

const rules = { wrongWay, unknownRooms, danglingImports, cycles, longFiles, otherExits }

describe('the source keeps to the rule', () => {
  const sources = readSources(join(process.cwd(), 'src'))
  test('at least a hundred files are read, with imports between rooms', () => {
    assert.ok(sources.size > 100)
    assert.ok(importsOf(sources).some(({ from, to }) => roomOf(from) !== roomOf(to)))
  })
  for (const [name, rule] of Object.entries(rules)) test(name, () => assert.deepEqual(rule(sources), []))
})

interface Breach {
  readonly name: string
  readonly rule: keyof typeof rules
  readonly files: Readonly<Record<string, string>>
  readonly found: readonly string[]
}

const empty = { 'protocol/topics.ts': '', 'session/message.ts': '', 'client/client.ts': '', 'broker/broker.ts': '' }

const breaches: readonly Breach[] = [
  {
    name: 'up',
    rule: 'wrongWay',
    files: { ...empty, 'session/outbound.ts': "import type { Broker } from '../broker/broker.js'\n" },
    found: ['session/outbound.ts imports broker/broker.ts'],
  },
  {
    name: 'sideways',
    rule: 'wrongWay',
    files: { ...empty, 'net/dial.ts': "import {\n  a,\n  b,\n} from '../session/message.js'\n" },
    found: ['net/dial.ts imports session/message.ts'],
  },
  {
    name: 'dynamically',
    rule: 'wrongWay',
    files: { ...empty, 'options/values.ts': "const topics = await import('../protocol/topics.js')\n" },
    found: ['options/values.ts imports protocol/topics.ts'],
  },
  {
    name: 'by export',
    rule: 'wrongWay',
    files: { ...empty, 'options/values.ts': "export * from '../protocol/topics.js'\n" },
    found: ['options/values.ts imports protocol/topics.ts'],
  },
  {
    name: 'the client from the broker outside of bridges',
    rule: 'wrongWay',
    files: {
      ...empty,
      'broker/reload.ts': "import { Client } from '../client/client.js'\n",
      'broker/bridge/bridge.ts': "import { Client } from '../../client/client.js'\n",
    },
    found: ['broker/reload.ts imports client/client.ts'],
  },
  {
    name: 'more than types of the session from the store',
    rule: 'wrongWay',
    files: {
      ...empty,
      'store/store.ts': "import type { Message } from '../session/message.js'\n",
      'store/memory-store.ts': "import { detached } from '../session/message.js'\n",
    },
    found: ['store/memory-store.ts imports session/message.ts'],
  },
  {
    name: 'more than types of the broker from a plugin',
    rule: 'wrongWay',
    files: {
      ...empty,
      'plugins/a.ts': "import type { Broker } from '../broker/broker.js'\n",
      'plugins/b.ts': "import { Broker } from '../broker/broker.js'\n",
    },
    found: ['plugins/b.ts imports broker/broker.ts'],
  },
  {
    name: 'the codec from access',
    rule: 'wrongWay',
    files: {
      ...empty,
      'access/acl.ts': "import { matches } from '../protocol/topics.js'\n",
      'access/acl-file.ts': "import { decode } from '../protocol/codec.js'\n",
    },
    found: ['access/acl-file.ts imports protocol/codec.ts'],
  },
  { name: 'a new room', rule: 'unknownRooms', files: { ...empty, 'misc/misc.ts': '' }, found: ['misc/misc.ts'] },
  {
    name: 'a file that is not there',
    rule: 'danglingImports',
    files: { 'net/dial.ts': "import './tls.js'\n" },
    found: ['net/dial.ts imports net/tls.ts, which is not there'],
  },
  {
    name: 'two files that need each other',
    rule: 'cycles',
    files: {
      'net/a.ts': "import { b } from './b.js'\n",
      'net/b.ts': "import { c } from './deep/c.js'\n",
      'net/deep/c.ts': "import { a } from '../a.js'\n",
    },
    found: ['net/a.ts → net/b.ts → net/deep/c.ts → net/a.ts'],
  },
  {
    name: 'a file above the limit',
    rule: 'longFiles',
    files: { 'net/at.ts': 'x\n'.repeat(450), 'net/above.ts': 'x\n'.repeat(451) },
    found: ['net/above.ts has 451 lines'],
  },
  {
    name: 'another way out',
    rule: 'otherExits',
    files: { 'cli/exit.ts': 'process.exit(0)', 'cli/tsmq.ts': 'process.exit(1)', 'cli/tsmq-pub.ts': 'exit(1)' },
    found: ['cli/tsmq.ts'],
  },
]

describe('the rule notices', () => {
  for (const { name, rule, files, found } of breaches)
    test(`${rule}: ${name}`, () => assert.deepEqual(rules[rule](new Map(Object.entries(files))), found))
})
