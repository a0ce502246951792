// `-L` and `--proxy` (pub.md sections 4 and 4.1; features.md B13).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { urlParts, urlScheme } from '../../src/options/broker-url.js'
import { proxyParts } from '../../src/options/proxy-url.js'

describe('-L', () => {
  /** Host, port, topic, user, password; or what is wrong. */
  const rows: readonly (readonly [url: string, expected: readonly (string | undefined)[] | RegExp])[] = [
    ['mqtt://h/t', ['h', '1883', 't']],
    ['MQTT://h/t', ['h', '1883', 't']],
    ['mqtts://h/t', ['h', '8883', 't']],
    ['ws://h/t', ['h', '80', 't']],
    ['wss://h/t', ['h', '443', 't']],
    ['mqtt://h:1884/a/b/', ['h', '1884', 'a/b/']],
    ['mqtt://h:/t', ['h', '1883', 't']],
    ['mqtt://h//t', ['h', '1883', '/t']],
    ['mqtt://h/a/#', ['h', '1883', 'a/#']],
    ['mqtt://h/a?b@c:d', ['h', '1883', 'a?b@c:d']],
    ['mqtt://h/a%20b', ['h', '1883', 'a%20b']],
    ['mqtt://[::1]/t', ['::1', '1883', 't']],
    ['mqtt://[::1]:1884/t', ['::1', '1884', 't']],
    ['mqtt://[fe80::1%eth0]/t', ['fe80::1%eth0', '1883', 't']],
    ['mqtt://u@h/t', ['h', '1883', 't', 'u']],
    ['mqtt://u:p@h/t', ['h', '1883', 't', 'u', 'p']],
    ['mqtt://u:@h/t', ['h', '1883', 't', 'u', '']],
    ['mqtt://u:p:q@h/t', ['h', '1883', 't', 'u', 'p:q']],
    ['mqtt://u:p%40x@h/t', ['h', '1883', 't', 'u', 'p@x']],
    ['mqtt://a%2Fb:%25%3a@h/t', ['h', '1883', 't', 'a/b', '%:']],
    ['mqtt://%C3%BC:p@h/t', ['h', '1883', 't', 'ü', 'p']],
    ['mqtt://u:%ff@h/t', ['h', '1883', 't', 'u', '\udcff']],
    ['http://h/t', /^must begin with one of mqtt:\/\/, mqtts:\/\/, ws:\/\/, wss:\/\/$/],
    ['h/t', /^must begin with one of/],
    ['constructor://h/t', /^must begin with one of/],
    ['mqtt://h', /^has no topic/],
    ['mqtt://h/', /^has an empty topic$/],
    ['mqtt:///t', /^has no host$/],
    ['mqtt://u:p@/t', /^has no host$/],
    ['mqtt://[]/t', /^has no host$/],
    ['mqtt://::1/t', /^has a host that cannot be read; an IPv6 address stands in brackets$/],
    ['mqtt://h:0/t', /^has a port that is not a number between 1 and 65535$/],
    ['mqtt://h:65536/t', /^has a port/],
    ['mqtt://h:1x/t', /^has a port/],
    ['mqtt://u:100%@h/t', /^has a % in user name or password without two hexadecimal digits behind it/],
  ]
  for (const [url, expected] of rows)
    test(url, () => {
      const parsed = urlParts(url)
      if (expected instanceof RegExp) {
        assert.match('problem' in parsed ? parsed.problem : '', expected)
        return
      }
      const parts = new Map('value' in parsed ? parsed.value : [])
      const names = ['host', 'port', 'topic', 'username', 'password']
      assert.deepEqual(
        names.map((name) => parts.get(name)),
        [...expected, undefined, undefined].slice(0, 5),
      )
    })
  test('what the schemes stand for', () => {
    assert.deepEqual(urlScheme('wss://h/t'), { port: 443, tls: true, ws: true })
    assert.deepEqual(urlScheme('Mqtt://h/t'), { port: 1883, tls: false, ws: false })
    assert.equal(urlScheme('ftp://h/t'), undefined)
  })
})

describe('--proxy', () => {
  const rows: readonly (readonly [url: string, expected: readonly (string | number | undefined)[] | RegExp])[] = [
    ['socks5h://h', ['h', 1080, undefined, undefined]],
    ['SOCKS5H://h:1', ['h', 1, undefined, undefined]],
    ['socks5h://[::1]:9050', ['::1', 9050, undefined, undefined]],
    ['socks5h://u@h', ['h', 1080, 'u', '']],
    ['socks5h://u:p@h', ['h', 1080, 'u', 'p']],
    ['socks5h://a%3Ab:%40%25@h', ['h', 1080, 'a:b', '@%']],
    ['socks5://h', /^must be socks5h:/],
    ['socks5h://', /^has no host$/],
    ['socks5h://:1080', /^has no host$/],
    ['socks5h://h:0', /^has a port/],
    ['socks5h://h:65536', /^has a port/],
    ['socks5h://h:x', /^has a port/],
    ['socks5h://u:p:q@h', /^has a second :/],
    ['socks5h://:p@h', /^has an empty user name$/],
    ['socks5h://u:%4@h', /^has a % in user name or password/],
  ]
  for (const [url, expected] of rows)
    test(url, () => {
      const parsed = proxyParts(url)
      if (expected instanceof RegExp) assert.match('problem' in parsed ? parsed.problem : '', expected)
      else if ('problem' in parsed) assert.fail(parsed.problem)
      else {
        const { host, port, username, password } = parsed.value
        assert.deepEqual([host, port, username, password], expected)
      }
    })
})
