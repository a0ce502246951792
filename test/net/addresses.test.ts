// Which addresses a listener binds. The machine's own are asked of the system; every machine has a loopback interface.

import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type AddressChoice, addressesOf } from '../../src/net/addresses.js'

const any: AddressChoice = { host: undefined, family: undefined, interfaceName: undefined }
const loopback = Object.entries(networkInterfaces()).find(([, list]) =>
  list?.some(({ address }) => address === '127.0.0.1'),
)
const interfaceName = loopback?.[0] ?? 'no loopback interface'

for (const { name, choice, addresses } of [
  { name: 'all', choice: any, addresses: ['0.0.0.0', '::'] },
  { name: 'all of IPv4', choice: { ...any, family: 'ipv4' }, addresses: ['0.0.0.0'] },
  { name: 'all of IPv6', choice: { ...any, family: 'ipv6' }, addresses: ['::'] },
  { name: 'one', choice: { ...any, host: '::1' }, addresses: ['::1'] },
  { name: 'an interface', choice: { ...any, interfaceName }, addresses: loopback?.[1]?.map(({ address }) => address) },
  { name: 'an interface, IPv4', choice: { ...any, interfaceName, family: 'ipv4' }, addresses: ['127.0.0.1'] },
  {
    name: 'an interface and an address of it',
    choice: { ...any, interfaceName, host: '127.0.0.1' },
    addresses: ['127.0.0.1'],
  },
] as const)
  test(`bind_interface, socket_domain: ${name}`, async () => {
    assert.deepEqual(
      (await addressesOf(choice)).map(({ address }) => address),
      addresses,
    )
  })

for (const { name, choice, says } of [
  {
    name: 'an interface that is not there',
    choice: { ...any, interfaceName: 'nosuch0' },
    says: /^there is no network interface nosuch0 with an address, but .*\w/,
  },
  {
    name: 'an address of another interface',
    choice: { ...any, interfaceName, host: '192.0.2.1' },
    says: /^network interface \S+ does not have the address 192\.0\.2\.1$/,
  },
  {
    name: 'an address of the other family',
    choice: { ...any, host: '127.0.0.1', family: 'ipv6' },
    says: /^127\.0\.0\.1 has no ipv6 address$/,
  },
  {
    name: 'an interface, an address, and the other family',
    choice: { ...any, interfaceName, host: '127.0.0.1', family: 'ipv6' },
    says: /^network interface \S+ has no ipv6 address$/,
  },
] as const)
  test(`bind_interface, socket_domain: refused: ${name}`, async () => {
    await assert.rejects(addressesOf(choice), { message: says })
  })
