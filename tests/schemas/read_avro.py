"""Reads records in Avro single-object encoding with fastavro, by a schema file, and writes them again: both must be the
same bytes. usage: read_avro.py SCHEMA FILE, where FILE is records, each behind its size in four bytes (big-endian)."""
import io
import json
import struct
import sys

import fastavro
import fastavro.schema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = fastavro.parse_schema(json.load(file))
with open(sys.argv[2], "rb") as file:
    rest = file.read()

fingerprint = bytes.fromhex(
    fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(schema), "CRC-64-AVRO"))
count = 0
while rest:
    (size,) = struct.unpack(">I", rest[:4])
    record, rest = rest[4:4 + size], rest[4 + size:]
    assert record[:2] == b"\xc3\x01", "no single-object record"
    assert record[2:10] == fingerprint, f"fingerprint {record[2:10].hex()}, schema {fingerprint.hex()}"
    body = io.BytesIO(record[10:])
    value = fastavro.schemaless_reader(body, schema, None, return_record_name=True)
    assert not body.read(), "bytes are left"
    again = io.BytesIO()
    fastavro.schemaless_writer(again, schema, value)
    assert again.getvalue() == record[10:], f"record {count} comes back otherwise"
    count += 1
print(count)
