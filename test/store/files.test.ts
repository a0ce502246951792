// The file of an LMDB store: who may open it, what else may lie there, and that nothing but a store is ever changed.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { LmdbStore } from '../../src/store/lmdb-store.js'
import { StoreError, type StoreFault } from '../../src/store/store-error.js'
import { batchOf, contentOf, write } from './stores.js'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsmq-store-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function failureOf(path: string): Promise<StoreError> {
  try {
    await (await LmdbStore.open(path)).close()
  } catch (error) {
    assert.ok(error instanceof StoreError, `${error}`)
    return error
  }
  throw new Error('the store was opened')
}

/** A store with a few thousand values. */
async function filled(path: string): Promise<void> {
  const store = await LmdbStore.open(path)
  const changes = Array.from({ length: 3000 }, (_, i) => [`\x01${String(i).padStart(6, '0')}`, `value ${i}`] as const)
  assert.equal(await write(store, batchOf(changes)), undefined)
  await store.close()
}

test('CVE-2017-9868 files of a new store are for their owner only', async (t) => {
  const path = join(folder(t), 'store.db')
  await filled(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(`${path}-lock`).mode & 0o777, 0o600)
})

describe('what is no store is left as it is', () => {
  const cases: readonly {
    readonly name: string
    readonly content: Buffer
    readonly fault: StoreFault
    readonly message: RegExp
  }[] = [
    { name: 'text', content: Buffer.from('hello\n'), fault: 'foreign', message: /is not a store of tsmq/ },
    { name: 'zeros', content: Buffer.alloc(20_000), fault: 'foreign', message: /is not a store of tsmq/ },
    {
      name: 'a database of Mosquitto',
      content: Buffer.from('\x00\xb5\x00mosquitto db\0\0\0\0\0\0\0\x06', 'latin1'),
      fault: 'foreign',
      message: /was written by Mosquitto.*--import-mosquitto-db/,
    },
  ]
  for (const { name, content, fault, message } of cases)
    test(name, async (t) => {
      const path = join(folder(t), 'store.db')
      writeFileSync(path, content)
      const error = await failureOf(path)
      assert.equal(error.fault, fault)
      assert.match(error.message, message)
      assert.ok(error.message.includes(path))
      assert.deepEqual(readFileSync(path), content)
    })

  test('a folder', async (t) => {
    const path = join(folder(t), 'store.db')
    mkdirSync(path)
    assert.ok((await failureOf(path)).message.includes(path))
  })

  test('a folder that is not there', async (t) => {
    const path = join(folder(t), 'missing', 'store.db')
    const error = await failureOf(path)
    assert.equal(error.fault, 'system')
    assert.match(error.message, /no such file or directory/)
    assert.equal(existsSync(join(path, '..')), false)
  })

  test('a folder that must not be written', {
    skip: process.getuid?.() === 0 && 'root may write everywhere',
  }, async (t) => {
    const place = folder(t)
    chmodSync(place, 0o500)
    const error = await failureOf(join(place, 'store.db'))
    assert.match(error.message, /permission denied/)
  })
})

describe('a store that was damaged is refused and left as it is', () => {
  const harms: readonly { readonly name: string; readonly harm: (bytes: Buffer) => Buffer }[] = [
    ...[100, 4096, 8192, 12_288, 60_000, 100_000].map((size) => ({
      name: `cut to ${size} bytes`,
      harm: (bytes: Buffer) => bytes.subarray(0, size),
    })),
    ...[48, 4096 + 24].map((at) => ({
      name: `byte ${at} of the first pages`,
      harm: (bytes: Buffer) => {
        bytes[at] = (bytes[at] as number) ^ 0x40
        return bytes
      },
    })),
    {
      name: 'a character of a value',
      harm: (bytes: Buffer) => {
        bytes[bytes.lastIndexOf('value 1234')] = 0x56
        return bytes
      },
    },
    {
      name: 'a character of a key',
      harm: (bytes: Buffer) => {
        bytes[bytes.lastIndexOf('001234') + 2] = 0x39
        return bytes
      },
    },
    {
      name: 'a page of zeros in the middle',
      harm: (bytes: Buffer) => bytes.fill(0, 81_920, 86_016),
    },
  ]
  for (const { name, harm } of harms)
    test(name, async (t) => {
      const path = join(folder(t), 'store.db')
      await filled(path)
      writeFileSync(path, harm(readFileSync(path)))
      const before = readFileSync(path)
      const error = await LmdbStore.open(path)
        .then(async (store) => {
          try {
            await contentOf(store)
            throw new Error('it was read')
          } finally {
            await store.close()
          }
        })
        .catch((failure: unknown) => failure)
      assert.ok(error instanceof StoreError, `${error}`)
      assert.equal(error.fault, 'damaged', error.message)
      assert.ok(error.message.includes(path) && error.message.includes('move it away'), error.message)
      assert.ok(readFileSync(path).equals(before))
    })
})

test('a second process, and a second open in the same one, is told who has the store', async (t) => {
  const path = join(folder(t), 'store.db')
  const first = await LmdbStore.open(path)
  const error = await failureOf(path)
  assert.equal(error.fault, 'in use')
  assert.ok(error.message.includes(`process ${process.pid}`), error.message)
  await first.close()
  await (await LmdbStore.open(path)).close()
})

test('a store whose owner was killed can be opened', async (t) => {
  const path = join(folder(t), 'store.db')
  const owner = fork(new URL('store-owner.js', import.meta.url), [path])
  const gone = new Promise((resolve) => owner.once('exit', resolve))
  await new Promise((resolve) => owner.once('message', resolve))
  const error = await failureOf(path)
  assert.ok(error.message.includes(`process ${owner.pid}`), error.message)
  owner.kill('SIGKILL')
  await gone
  assert.ok(existsSync(`${path}-owner`), 'it has left its lock')
  const store = await LmdbStore.open(path)
  assert.deepEqual(await contentOf(store), [['\x01a', 'kept']])
  await store.close()
})

test('a path that is longer than sockets take', async (t) => {
  const place = join(folder(t), 'x'.repeat(120))
  mkdirSync(place)
  const path = join(place, 'store.db')
  const first = await LmdbStore.open(path)
  assert.equal((await failureOf(path)).fault, 'in use')
  await first.close()
})

test('a store that is in use can be read by others', async (t) => {
  const path = join(folder(t), 'store.db')
  const first = await LmdbStore.open(path)
  await write(first, batchOf([['\x01a', '1']]))
  const reader = await LmdbStore.read(path)
  assert.deepEqual(await contentOf(reader), [['\x01a', '1']])
  await reader.close()
  await write(first, batchOf([['\x01b', '2']]))
  await first.close()
})
