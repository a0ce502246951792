// A disk that is really full: a small file system in memory, which takes root to make. Elsewhere the fault store stands in for it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isCramped } from '../../src/store/file-space.js'
import { LmdbStore } from '../../src/store/lmdb-store.js'
import { batchOf, contentOf, write } from './stores.js'

const MIB = 1_048_576
const folder = mkdtempSync(join(tmpdir(), 'tsmq-full-'))
const mount = (...args: string[]) => spawnSync('mount', [...args, folder]).status === 0
const isMounted = mount('-t', 'tmpfs', '-o', `size=${4 * MIB}`, 'tmpfs')

test('a full disk refuses a batch, harms nothing, and can be made larger', {
  skip: !isMounted && 'no right to mount a file system',
}, async (t) => {
  t.after(() => {
    spawnSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'store.db')
  const store = await LmdbStore.open(path)
  const key = (number: number) => `\x01${String(number).padStart(6, '0')}`
  let written = 0
  let failure: string | undefined
  while (failure === undefined && written < 1000) {
    const error = await write(store, batchOf([[key(written), 'x'.repeat(20_000)]]))
    if (error === undefined) written++
    else failure = error.message
  }
  assert.match(failure ?? '', /no space left for .*store\.db/)
  assert.ok(written > 20, `${written}`)
  for (let i = 0; i < 20; i++) assert.ok(await write(store, batchOf([[key(written), 'x'.repeat(2_000_000)]])))

  assert.ok(mount('-o', `remount,size=${40 * MIB}`))
  assert.equal(await write(store, batchOf([[key(written), 'y'.repeat(2_000_000)]])), undefined)
  await store.close()
  const again = await LmdbStore.open(path)
  const content = await contentOf(again)
  await again.close()
  assert.deepEqual(
    content.map(([name, value]) => [name, value?.at(-1)]),
    Array.from({ length: written + 1 }, (_, number) => [key(number), number === written ? 'y' : 'x']),
  )
})

const BTRFS = 0x9123_683e
const EXT4 = 0xef53

for (const [name, type, free, expected] of [
  ['btrfs with little room', BTRFS, 16 * MIB - 4096, true],
  ['btrfs with some room', BTRFS, 16 * MIB, false],
  ['ZFS without any', 0x2fc1_2fc1, 0, true],
  ['ext4, where a page that is there stays where it is', EXT4, 0, false],
] as const)
  test(`room for changes: ${name}`, () => {
    assert.equal(isCramped({ type, bavail: free / 4096, bsize: 4096 }), expected)
  })
