"""clickhouse_server.py make DIRECTORY SHARDS | start DIRECTORY SHARD | await DIRECTORY SHARD 

Debian's clickhouse-server on loopback, as one or more shards of a cluster called `fleet`, each in DIRECTORY/1, DIRECTORY/2, ...
`make` chooses free ports and writes the configuration. `start` becomes the server of a shard. `await` waits until it answers, and
exits 4 if its process (DIRECTORY/SHARD/pid) has ended. Users: `default` without a password, and `shipper` with `secret`.
"""
import os
import pathlib
import socket
import sys
import time
import urllib.request

SHARD = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{place}/log</log><errorlog>{place}/errors</errorlog><size>100M</size><count>1</count></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http}</http_port>
  <tcp_port>{tcp}</tcp_port>
  <max_concurrent_queries>100</max_concurrent_queries>
  <keep_alive_timeout>3</keep_alive_timeout>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>67108864</uncompressed_cache_size>
  <path>{place}/data/</path>
  <tmp_path>{place}/tmp/</tmp_path>
  <user_files_path>{place}/files/</user_files_path>
  <format_schema_path>{place}/formats/</format_schema_path>
  <users_config>{place}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>{zone}</timezone>
  <remote_servers><fleet>{shards}</fleet></remote_servers>
  <macros><shard>{number}</shard></macros>
</yandex>
"""
NEIGHBOUR = "<shard><replica><host>127.0.0.1</host><port>{}</port></replica></shard>"
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>2000000000</max_memory_usage><max_threads>2</max_threads></default></profiles>
  <quotas><default></default></quotas>
  <users>
    <default>
      <password></password><profile>default</profile><quota>default</quota><networks><ip>127.0.0.1</ip></networks>
    </default>
    <shipper>
      <password>secret</password><profile>default</profile><quota>default</quota><networks><ip>127.0.0.1</ip></networks>
    </shipper>
  </users>
</yandex>
"""


def free_ports(count):
    """Ports that nothing listens on. They are all held until the last one is known, so that none comes twice."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def make(directory, count):
    ports = free_ports(2 * count)
    neighbours = "".join(NEIGHBOUR.format(port) for port in ports[count:])
    for number in range(1, count + 1):
        place = directory / str(number)
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.xml").write_text(SHARD.format(
            place=place, http=ports[number - 1], tcp=ports[count + number - 1], shards=neighbours, number=number,
            zone=os.environ.get("CLICKHOUSE_ZONE", "UTC")), encoding="utf-8")
        (place / "users.xml").write_text(USERS, encoding="utf-8")
        (place / "port").write_text(f"{ports[number - 1]}\n", encoding="utf-8")


def start(place):
    """Becomes the server. Locks and statuses stay where they are, so that one that was killed can be started again."""
    server = os.environ.get("CLICKHOUSE_SERVER", "/usr/sbin/clickhouse-server")
    os.chdir(place)
    os.execv(server, [server, f"--config-file={place}/config.xml"])


def answers(port):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/ping", timeout=5) as page:
            return page.read() == b"Ok.\n"
    except OSError:
        return False


def has_ended(pid):
    """A process that nobody has waited for yet is a zombie, and has ended, too."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def wait(place):
    port, pid = int((place / "port").read_text()), int((place / "pid").read_text())
    began = time.monotonic()
    while not answers(port):
        if has_ended(pid):
            sys.exit(4)
        if time.monotonic() > began + 120:
            sys.exit(f"no answer in 120 s: {place}")
        time.sleep(0.05)


if __name__ == "__main__":
    command, top = sys.argv[1], pathlib.Path(sys.argv[2]).absolute()
    if command == "make":
        make(top, int(sys.argv[3]))
    elif command == "start":
        start(top / sys.argv[3])
    elif command == "await":
        wait(top / sys.argv[3])
    else:
        sys.exit(__doc__)
