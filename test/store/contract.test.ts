// What every store promises: the same cases against each implementation.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, contentOf, kinds, type TextChange, write } from './stores.js'

interface Case {
  readonly name: string
  /** Batches, in order. */
  readonly batches: readonly (readonly TextChange[])[]
  readonly content: readonly TextChange[]
}

const long = 'x'.repeat(300_000)

const cases: readonly Case[] = [
  { name: 'a new store is empty', batches: [], content: [] },
  { name: 'what was put is there', batches: [[['\x01a', '1']]], content: [['\x01a', '1']] },
  {
    name: 'the last put counts, in one batch and over several',
    batches: [
      [
        ['\x01a', '1'],
        ['\x01a', '2'],
      ],
      [['\x01b', '3']],
      [['\x01b', '4']],
    ],
    content: [
      ['\x01a', '2'],
      ['\x01b', '4'],
    ],
  },
  {
    name: 'what was removed is gone, and removing what is not there changes nothing',
    batches: [
      [
        ['\x01a', '1'],
        ['\x01b', '2'],
      ],
      [
        ['\x01a', undefined],
        ['\x01c', undefined],
      ],
    ],
    content: [['\x01b', '2']],
  },
  {
    name: 'put and removed in one batch is gone, removed and put is there',
    batches: [
      [
        ['\x01a', '1'],
        ['\x01a', undefined],
        ['\x01b', undefined],
        ['\x01b', '2'],
      ],
    ],
    content: [['\x01b', '2']],
  },
  {
    name: 'keys come in the order of their bytes',
    batches: [
      [
        ['\x02a', '3'],
        ['\x01b', '2'],
        ['\x01a', '1'],
      ],
    ],
    content: [
      ['\x01a', '1'],
      ['\x01b', '2'],
      ['\x02a', '3'],
    ],
  },
  {
    name: 'a key that begins another comes first',
    batches: [
      [
        ['\x01aa', '2'],
        ['\x01a', '1'],
      ],
    ],
    content: [
      ['\x01a', '1'],
      ['\x01aa', '2'],
    ],
  },
  { name: 'an empty value is a value', batches: [[['\x01a', '']]], content: [['\x01a', '']] },
  { name: 'a long value comes back whole', batches: [[['\x01a', long]]], content: [['\x01a', long]] },
  {
    name: 'ten thousand keys',
    batches: [
      Array.from({ length: 10_000 }, (_, i): TextChange => [`\x01${String(i).padStart(6, '0')}`, `value ${i}`]),
    ],
    content: Array.from({ length: 10_000 }, (_, i): TextChange => [`\x01${String(i).padStart(6, '0')}`, `value ${i}`]),
  },
  { name: 'an empty batch', batches: [[]], content: [] },
]

for (const [kind, makePlace] of Object.entries(kinds))
  for (const { name, batches, content } of cases)
    test(`${kind} store: ${name}`, async () => {
      const place = makePlace()
      try {
        const first = await place.open()
        for (const changes of batches) assert.equal(await write(first, batchOf(changes)), undefined)
        await first.close()
        const second = await place.open()
        const found = await contentOf(second)
        await second.close()
        assert.deepEqual(found, content)
      } finally {
        place.remove()
      }
    })

for (const [kind, makePlace] of Object.entries(kinds)) {
  test(`${kind} store: a batch may be changed once it is written, and cleared for the next`, async () => {
    const place = makePlace()
    try {
      const store = await place.open()
      const batch = batchOf([['\x01a', '1']])
      await write(store, batch)
      batch.clear()
      batch.put(Buffer.from('\x01b'))
      batch.text('2')
      batch.end()
      await write(store, batch)
      await store.close()
      const again = await place.open()
      assert.deepEqual(await contentOf(again), [
        ['\x01a', '1'],
        ['\x01b', '2'],
      ])
      await again.close()
    } finally {
      place.remove()
    }
  })

  test(`${kind} store: closing waits for the batch that is being written`, async () => {
    const place = makePlace()
    try {
      const store = await place.open()
      const written = write(store, batchOf([['\x01a', '1']]))
      await store.close()
      assert.equal(await written, undefined)
      const again = await place.open()
      assert.deepEqual(await contentOf(again), [['\x01a', '1']])
      await again.close()
    } finally {
      place.remove()
    }
  })
}
