// What the official JavaScript SDK sees of the sandbox at METAPATCH_SANDBOX_URL.
//
// One line for each scenario, `ok  js  …` or `not ok  js  …`, and a total at the end. What the world really holds is
// taken from the sandbox's own endpoints, so that the SDK and what it talks to do not vouch for each other.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { createClerkClient } from '@clerk/backend';
import { isClerkAPIResponseError } from '@clerk/backend/errors';

const apiUrl = process.env.METAPATCH_SANDBOX_URL;
const clerk = createClerkClient({ secretKey: 'sk_live_fake', apiUrl });
const { users, organizations } = clerk;

/** The sandbox's own endpoints, which are not of the API. */
async function control(path, method = 'GET', body = undefined) {
  const response = await fetch(`${apiUrl}/__sandbox/${path}`, { method, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.text();
}

/** Every user as the sandbox holds it. */
async function held() {
  const lines = (await control('world?full=1')).trim().split('\n');
  return lines.map(line => JSON.parse(line));
}

const world = await held();
// Writes to one user are limited, so that each scenario takes one of its own.
let taken = 0;

/** A user of its own, with this metadata. */
async function userWith(metadata) {
  const { id } = world[100 + taken++];
  const empty = { public_metadata: {}, private_metadata: {}, unsafe_metadata: {} };
  await control(`users/${id}/metadata`, 'PUT', { ...empty, ...metadata });
  return id;
}

/** The metadata that the sandbox holds for a user. */
async function metadataOf(id) {
  return JSON.parse(await control(`users/${id}/metadata`));
}

/** The SDK's own error, with its status, code, trace id and parameter. */
async function refused(promise, status, code, param = undefined) {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    error => error,
  );
  assert.ok(isClerkAPIResponseError(error), `${error}`);
  assert.equal(error.status, status);
  assert.equal(error.errors[0]?.code, code);
  assert.ok(error.errors[0].message.length > 0);
  assert.match(error.clerkTraceId, /^[0-9a-f]{32}$/);
  assert.equal(error.errors[0].meta?.paramName, param);
  return error;
}

/** The error that the next request meets, which the sandbox is told to answer with. */
async function faulty(fault, request) {
  await control('faults', 'POST', { faults: [{ rate: 1, next: 1, ...fault }] });
  try {
    return await request().then(
      () => assert.fail('it was not refused'),
      error => error,
    );
  } finally {
    await control('faults', 'POST', { faults: [] });
  }
}

const address = email => email.email_address;
const ids = rows => rows.map(row => row.id);
const sorted = texts => [...texts].sort();

const scenarios = {
  async 'list users by id'() {
    const wanted = ids(world.slice(0, 100));
    const { data, totalCount } = await users.getUserList({ userId: wanted, limit: 500 });
    assert.deepEqual(sorted(ids(data)), sorted(wanted));
    assert.equal(totalCount, 100);
  },
  async 'list users by id, ten unless told'() {
    const { data } = await users.getUserList({ userId: ids(world.slice(0, 100)) });
    assert.equal(data.length, 10);
  },
  async 'list users by id, unknown ones missing'() {
    const { data } = await users.getUserList({ userId: [world[3].id, 'user_000000000000000000000000000'] });
    assert.deepEqual(ids(data), [world[3].id]);
  },
  async 'list users without one id'() {
    const { data } = await users.getUserList({ userId: [`-${world[0].id}`], limit: 500 });
    assert.ok(data.length === 500 && !ids(data).includes(world[0].id));
  },
  async 'list users by email address'() {
    const emails = world.slice(0, 50).flatMap(user => user.email_addresses.slice(0, 1).map(address));
    const has = user => user.email_addresses.some(email => emails.includes(address(email)));
    const { data } = await users.getUserList({ emailAddress: emails, limit: 500 });
    assert.ok(data.length >= 40);
    assert.deepEqual(sorted(ids(data)), sorted(ids(world.filter(has))));
    for (const user of data) {
      assert.ok(user.emailAddresses.some(email => emails.includes(email.emailAddress)));
    }
  },
  async 'list users by external id'() {
    const wanted = world.filter(user => user.external_id).slice(0, 20);
    const { data } = await users.getUserList({ externalId: wanted.map(user => user.external_id), limit: 500 });
    assert.deepEqual(sorted(ids(data)), sorted(ids(wanted)));
    assert.deepEqual(sorted(data.map(user => user.externalId)), sorted(wanted.map(user => user.external_id)));
  },
  async 'list users by an email address with a plus'() {
    const created = await users.createUser({ emailAddress: ['plus+js@example.com'] });
    const { data } = await users.getUserList({ emailAddress: ['plus+js@example.com'] });
    assert.deepEqual(ids(data), [created.id]);
    await users.deleteUser(created.id);
  },
  async 'list users by query'() {
    const has = user => user.email_addresses.some(email => address(email).includes('user00010'));
    const { data, totalCount } = await users.getUserList({ query: 'USER00010', limit: 500 });
    assert.ok(data.length > 0 && totalCount === data.length);
    assert.deepEqual(sorted(ids(data)), sorted(ids(world.filter(has))));
  },
  async 'list users in both orders'() {
    const first = await users.getUserList({ orderBy: '+created_at', limit: 50 });
    const last = await users.getUserList({ orderBy: '-created_at', limit: 500, offset: world.length - 50 });
    assert.deepEqual(ids(first.data), ids(last.data).reverse());
    assert.ok(first.data[0].createdAt <= first.data[49].createdAt);
  },
  async 'page through everything'() {
    const seen = [];
    for (;;) {
      const { data, totalCount } = await users.getUserList({ limit: 500, offset: seen.length });
      assert.equal(totalCount, world.length);
      seen.push(...ids(data));
      if (data.length < 500) break;
    }
    assert.deepEqual(sorted(seen), sorted(ids(world)));
  },
  async 'page through everything behind a cursor, which the SDK passes on without knowing it'() {
    const seen = [];
    for (;;) {
      const { data } = await users.getUserList({ limit: 500, startingAfter: seen.at(-1) });
      seen.push(...ids(data));
      if (data.length < 500) break;
    }
    assert.deepEqual(sorted(seen), sorted(ids(world)));
    await refused(users.getUserList({ startingAfter: seen[0], offset: 1 }), 422, 'form_conditional_param_disallowed', 'starting_after');
  },
  async 'count users'() {
    assert.equal(await users.getCount(), world.length);
    assert.equal(await users.getCount({ userId: ids(world.slice(0, 7)) }), 7);
  },
  async 'get a user'() {
    const id = await userWith({ public_metadata: { Some_Key: { innerKey: [1, null] } } });
    const [expected, user] = [world.find(user => user.id === id), await users.getUser(id)];
    assert.equal(user.id, id);
    assert.equal(user.firstName, expected.first_name ?? null);
    assert.equal(user.externalId, expected.external_id ?? null);
    assert.equal(user.createdAt, expected.created_at);
    assert.equal(user.emailAddresses.length, expected.email_addresses.length);
    assert.deepEqual(user.publicMetadata, { Some_Key: { innerKey: [1, null] } });
    assert.deepEqual([user.privateMetadata, user.unsafeMetadata], [{}, {}]);
  },
  async 'email addresses are verified or not'() {
    const { data } = await users.getUserList({ limit: 500 });
    const states = data.flatMap(user => user.emailAddresses.map(email => email.verification.status));
    assert.deepEqual(sorted(new Set(states)), ['unverified', 'verified']);
    assert.ok(data.every(user => !user.primaryEmailAddressId || user.primaryEmailAddress));
  },
  async 'create a user, and delete it'() {
    const params = { emailAddress: ['new.js@example.com'], externalId: 'js 1/ä', firstName: 'Ä', publicMetadata: { a: 1 } };
    const created = await users.createUser(params);
    assert.deepEqual([created.externalId, created.firstName, created.publicMetadata], ['js 1/ä', 'Ä', { a: 1 }]);
    assert.equal(created.primaryEmailAddress.emailAddress, 'new.js@example.com');
    const deleted = await users.deleteUser(created.id);
    assert.deepEqual([deleted.id, deleted.deleted], [created.id, true]);
    await refused(users.getUser(created.id), 404, 'resource_not_found');
  },
  async 'update metadata: deep merge'() {
    const id = await userWith({ public_metadata: { a: { b: 1, c: { d: 2 } }, list: [1, 2] }, unsafe_metadata: { u: 1 } });
    const patch = { a: { c: { e: 3 } }, list: [3], 'Ünï key': '<&>' };
    const user = await users.updateUserMetadata(id, { publicMetadata: patch });
    const merged = { a: { b: 1, c: { d: 2, e: 3 } }, list: [3], 'Ünï key': '<&>' };
    assert.deepEqual(user.publicMetadata, merged);
    const after = { public_metadata: merged, private_metadata: {}, unsafe_metadata: { u: 1 } };
    assert.deepEqual(await metadataOf(id), after);
  },
  async 'update metadata: null removes at any depth'() {
    const id = await userWith({ private_metadata: { keep: 1, gone: 2, deep: { keep: 1, gone: { x: 1 } } } });
    const user = await users.updateUserMetadata(id, { privateMetadata: { gone: null, deep: { gone: null }, never: null } });
    assert.deepEqual(user.privateMetadata, { keep: 1, deep: { keep: 1 } });
  },
  async 'update metadata: all three fields at once'() {
    const id = await userWith({});
    const user = await users.updateUserMetadata(id, {
      publicMetadata: { p: 1 },
      privateMetadata: { q: [null] },
      unsafeMetadata: { r: { s: false } },
    });
    const fields = [user.publicMetadata, user.privateMetadata, user.unsafeMetadata];
    assert.deepEqual(fields, [{ p: 1 }, { q: [null] }, { r: { s: false } }]);
    assert.ok(user.updatedAt >= user.createdAt);
  },
  async 'update metadata: nothing given changes nothing'() {
    const id = await userWith({ public_metadata: { a: 1 } });
    const user = await users.updateUserMetadata(id, {});
    assert.deepEqual(user.publicMetadata, { a: 1 });
  },
  async 'replace metadata: a given field whole, others untouched'() {
    const id = await userWith({ public_metadata: { a: { b: 1 }, c: 1 }, private_metadata: { q: 1 } });
    const user = await users.replaceUserMetadata(id, { publicMetadata: { a: { d: 2 } } });
    assert.deepEqual([user.publicMetadata, user.privateMetadata], [{ a: { d: 2 } }, { q: 1 }]);
  },
  async 'replace metadata: an empty object clears, null is stored'() {
    const id = await userWith({ public_metadata: { a: 1 }, private_metadata: { q: 1 } });
    const user = await users.replaceUserMetadata(id, { publicMetadata: {}, privateMetadata: null });
    assert.deepEqual([user.publicMetadata, (await metadataOf(id)).private_metadata], [{}, null]);
    const merged = await users.updateUserMetadata(id, { privateMetadata: { a: 1 } });
    assert.deepEqual(merged.privateMetadata, { a: 1 });
  },
  async 'update a user: names, and metadata in a second request'() {
    const id = await userWith({ public_metadata: { a: 1 } });
    const user = await users.updateUser(id, { firstName: 'Renamed', publicMetadata: { b: 1 } });
    assert.deepEqual([user.firstName, user.publicMetadata], ['Renamed', { b: 1 }]);
  },
  async 'get the instance'() {
    const instance = await clerk.instance.get();
    assert.equal(instance.environmentType ?? instance.environment_type, 'production');
  },
  async 'list organizations'() {
    const { data, totalCount } = await organizations.getOrganizationList({ limit: 500, orderBy: '+created_at' });
    assert.equal(data.length, totalCount);
    assert.ok(data.length > 10 && data[0].createdAt <= data.at(-1).createdAt);
  },
  async 'list organizations by id'() {
    const { data } = await organizations.getOrganizationList({ limit: 5 });
    const found = await organizations.getOrganizationList({ organizationId: ids(data.slice(1, 3)) });
    assert.deepEqual(sorted(ids(found.data)), sorted(ids(data.slice(1, 3))));
    assert.equal(found.totalCount, 2);
  },
  async 'page through organizations'() {
    const seen = [];
    for (;;) {
      const { data, totalCount } = await organizations.getOrganizationList({ limit: 7, offset: seen.length });
      seen.push(...ids(data));
      if (data.length < 7) {
        assert.deepEqual([new Set(seen).size, seen.length], [totalCount, totalCount]);
        break;
      }
    }
  },
  async 'get an organization by id and by slug'() {
    const { data } = await organizations.getOrganizationList({ limit: 1 });
    const byId = await organizations.getOrganization({ organizationId: data[0].id });
    const bySlug = await organizations.getOrganization({ slug: data[0].slug });
    assert.deepEqual([byId.id, bySlug.id], [data[0].id, data[0].id]);
    assert.equal(byId.membersCount, data[0].membersCount);
  },
  async 'update metadata of an organization: merge and null'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1 })).data;
    await organizations.updateOrganizationMetadata(organization.id, { publicMetadata: { a: { b: 1, c: 2 } }, privateMetadata: { x: 1 } });
    const updated = await organizations.updateOrganizationMetadata(organization.id, { publicMetadata: { a: { b: null, d: 3 } } });
    assert.deepEqual(updated.publicMetadata.a, { c: 2, d: 3 });
    assert.equal(updated.privateMetadata.x, 1);
  },
  async 'replace metadata of an organization'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1, offset: 1 })).data;
    const updated = await organizations.replaceOrganizationMetadata(organization.id, { publicMetadata: { only: 1 } });
    assert.deepEqual(updated.publicMetadata, { only: 1 });
  },
  async 'rename an organization'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1, offset: 2 })).data;
    const updated = await organizations.updateOrganization(organization.id, { name: 'Renamed by js' });
    assert.equal(updated.name, 'Renamed by js');
  },
  async 'list memberships of an organization'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1, offset: 3 })).data;
    const { data, totalCount } = await organizations.getOrganizationMembershipList({ organizationId: organization.id, limit: 500 });
    assert.deepEqual([data.length, totalCount], [organization.membersCount, organization.membersCount]);
    assert.ok(data.every(row => row.organization.id === organization.id && row.publicUserData.userId.startsWith('user_')));
  },
  async 'list memberships of an organization by user id'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1, offset: 3 })).data;
    const { data } = await organizations.getOrganizationMembershipList({ organizationId: organization.id, limit: 2 });
    const userId = [data[1].publicUserData.userId];
    const found = await organizations.getOrganizationMembershipList({ organizationId: organization.id, userId });
    assert.deepEqual(ids(found.data), [data[1].id]);
  },
  async 'list all memberships'() {
    const { data, totalCount } = await organizations.getInstanceOrganizationMembershipList({ limit: 500 });
    assert.equal(data.length, 500);
    assert.ok(totalCount > 500);
  },
  async 'list memberships of a user'() {
    const { data: all } = await organizations.getInstanceOrganizationMembershipList({ limit: 1 });
    const { userId } = all[0].publicUserData;
    const { data } = await users.getOrganizationMembershipList({ userId });
    assert.deepEqual([data.map(row => row.id), data[0].publicUserData.userId], [[all[0].id], userId]);
  },
  async 'update metadata of a membership: merge and null'() {
    const [membership] = (await organizations.getInstanceOrganizationMembershipList({ limit: 1, offset: 9 })).data;
    const of = { organizationId: membership.organization.id, userId: membership.publicUserData.userId };
    await organizations.updateOrganizationMembershipMetadata({ ...of, publicMetadata: { a: { b: 1, c: 2 } } });
    const updated = await organizations.updateOrganizationMembershipMetadata({ ...of, publicMetadata: { a: { b: null } }, privateMetadata: { p: 1 } });
    assert.deepEqual([updated.publicMetadata.a, updated.privateMetadata.p], [{ c: 2 }, 1]);
    assert.equal(updated.id, membership.id);
  },
  async 'refused: 401 for a key that is not known'() {
    const stranger = createClerkClient({ secretKey: 'not_a_key', apiUrl });
    await refused(stranger.users.getUserList(), 401, 'clerk_key_invalid');
    await refused(stranger.users.updateUserMetadata(world[0].id, { publicMetadata: {} }), 401, 'clerk_key_invalid');
  },
  async 'refused: 404 for a user that is not there'() {
    const error = await refused(users.getUser('user_nobody'), 404, 'resource_not_found');
    assert.match(error.errors[0].longMessage, /user_nobody/);
    await refused(users.updateUserMetadata('user_nobody', { publicMetadata: {} }), 404, 'resource_not_found');
    await refused(users.replaceUserMetadata('user_nobody', { publicMetadata: {} }), 404, 'resource_not_found');
  },
  async 'refused: 404 for organizations and memberships that are not there'() {
    await refused(organizations.getOrganization({ organizationId: 'org_none' }), 404, 'resource_not_found');
    await refused(organizations.updateOrganizationMetadata('org_none', { publicMetadata: {} }), 404, 'resource_not_found');
    const of = { organizationId: 'org_none', userId: world[0].id };
    await refused(organizations.updateOrganizationMembershipMetadata({ ...of, publicMetadata: {} }), 404, 'resource_not_found');
  },
  async 'refused: 422 for an unknown field'() {
    const id = await userWith({ public_metadata: { a: 1 } });
    const write = users.updateUserMetadata(id, { publicMetadata: { a: 2 }, favouriteColour: 'red' });
    await refused(write, 422, 'form_param_unknown', 'favourite_colour');
    assert.deepEqual((await metadataOf(id)).public_metadata, { a: 1 });
  },
  async 'refused: 422 for more than 8192 bytes, and nothing is changed'() {
    const id = await userWith({ public_metadata: { a: 'x'.repeat(4000) } });
    const write = users.updateUserMetadata(id, { privateMetadata: { p: 1 }, publicMetadata: { b: 'y'.repeat(4200) } });
    const error = await refused(write, 422, 'form_param_exceeds_allowed_size', 'public_metadata');
    assert.match(error.errors[0].longMessage, /8192 bytes/);
    assert.deepEqual(await metadataOf(id), {
      public_metadata: { a: 'x'.repeat(4000) },
      private_metadata: {},
      unsafe_metadata: {},
    });
  },
  async 'refused: 422 for a field that is no object'() {
    const id = await userWith({});
    for (const value of ['text', 1, true, [1]]) {
      await refused(users.updateUserMetadata(id, { unsafeMetadata: value }), 422, 'form_param_value_invalid', 'unsafe_metadata');
    }
  },
  async 'refused: 422 for unsafe metadata of an organization'() {
    const [organization] = (await organizations.getOrganizationList({ limit: 1, offset: 4 })).data;
    const write = organizations.updateOrganizationMetadata(organization.id, { unsafeMetadata: {} });
    await refused(write, 422, 'form_param_unknown', 'unsafe_metadata');
  },
  async 'refused: 422 for more than 100 values'() {
    const error = await users.getUserList({ userId: ids(world.slice(0, 101)) }).catch(error => error);
    assert.ok(isClerkAPIResponseError(error) && error.status === 422);
  },
  async 'refused: 422 for an order that does not exist'() {
    await refused(users.getUserList({ orderBy: 'shoe_size' }), 422, 'form_param_value_invalid', 'order_by');
  },
  async 'refused: 422 for an email address that is taken'() {
    const email = world.flatMap(user => user.email_addresses).find(email => email.verified);
    const emailAddress = [address(email)];
    await refused(users.createUser({ emailAddress }), 422, 'form_identifier_exists', 'email_address');
  },
  async 'limited: 429 on the 11th write to one user, with retryAfter'() {
    const id = await userWith({});
    for (let n = 0; n < 10; n++) await users.updateUserMetadata(id, { publicMetadata: { n } });
    const error = await refused(users.updateUserMetadata(id, { publicMetadata: { n: 10 } }), 429, 'too_many_requests');
    assert.ok(Number.isInteger(error.retryAfter) && error.retryAfter >= 1 && error.retryAfter <= 10, `${error.retryAfter}`);
    assert.equal((await metadataOf(id)).public_metadata.n, 9);
  },
  async 'limited: 429 on the 101st request of a test key, with retryAfter'() {
    const test = createClerkClient({ secretKey: 'sk_test_js', apiUrl });
    for (let n = 0; n < 100; n++) await test.users.getCount();
    const error = await refused(test.users.getCount(), 429, 'too_many_requests');
    assert.ok(Number.isInteger(error.retryAfter) && error.retryAfter >= 1 && error.retryAfter <= 10, `${error.retryAfter}`);
  },
  async 'limited: 429 without Retry-After has no retryAfter'() {
    const error = await faulty({ kind: '429-bare' }, () => users.getUser(world[0].id));
    assert.deepEqual([error.status, error.retryAfter], [429, undefined]);
  },
  async 'faulty: 409, 500, 503 and 504'() {
    const codes = { 409: 'resource_locked', 500: 'internal_clerk_error', 503: 'service_unavailable', 504: 'gateway_timeout' };
    for (const [kind, code] of Object.entries(codes)) {
      await refused(Promise.reject(await faulty({ kind }, () => users.getUser(world[0].id))), Number(kind), code);
    }
  },
  async 'faulty: 502 with a page of HTML'() {
    const error = await faulty({ kind: '502' }, () => users.getUser(world[0].id));
    assert.deepEqual([error.status, error.errors], [502, []]);
  },
  async 'faulty: a connection that is cut'() {
    const error = await faulty({ kind: 'cut-before' }, () => users.getUser(world[0].id));
    assert.ok(isClerkAPIResponseError(error) && error.errors[0].code === 'unexpected_error');
  },
};

let failed = 0;
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    await scenario();
    console.log(`ok  js  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok  js  ${name}\n${error.stack}`);
  }
}
const { version } = JSON.parse(readFileSync(new URL('node_modules/@clerk/backend/package.json', import.meta.url)));
const count = Object.keys(scenarios).length;
console.log(`total  js  ${count - failed} of ${count} scenarios passed (@clerk/backend ${version}, node ${process.versions.node})`);
process.exitCode = failed > 0 ? 1 : 0;
