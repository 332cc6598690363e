#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vpod-vmm's NIC, shared directory and console ports with Linux's own drivers.  Runs in a rig only.
. "$(dirname "$0")/../../lib.sh"
[ "${VPOD_IN_RIG:-0}" = 1 ] || { echo "1..1"; echo "ok 1 - devices # SKIP runs in a rig only"; exit 0; }
kernel=$(tuned_kernel)/vmlinux
server=/usr/lib/qemu/virtiofsd
[ -x $server ] || server=/usr/libexec/virtiofsd
MiB=16

# An initrd whose init is @1, run by busybox; and a file of random bytes, /blob.
make_initrd() {
	mkdir -p root/bin root/proc root/dev root/mnt root/sys
	cp /bin/busybox root/bin
	head -c $((MiB << 20)) /dev/urandom >root/blob
	{
		echo '#!/bin/busybox sh'
		echo '/bin/busybox --install -s /bin; PATH=/bin'
		echo 'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null'
		echo 'exec >/dev/console 2>&1'
		echo "$1"
		echo 'poweroff -f'
	} >root/init
	chmod +x root/init
	(cd root && find . | cpio -o -H newc --quiet) >initrd
}

# run LINE...: a machine with these lines in its description; what its guest said is in $said.
run() {
	{
		echo "vpod-vmm 1"
		echo "machine cpus=1 memory=$((256 << 20)) acpi=on"
		echo "kernel path=$kernel"
		echo "initrd path=initrd"
		echo "cmdline console=ttyS0 quiet panic=-1"
		echo "serial path=serial"
		echo "report path=report"
		printf '%s\n' "$@"
	} >spec
	rm -f serial report
	timeout 90 "$O/vpod-vmm" --spec=spec || tail -n 20 serial ./*.log
	said=$(tr -d '\r' <serial)
	like "how it ended: $said" "$(cat report)" '^end poweroff'
}

# Once, whichever test comes first.
make_tap() {
	local tun
	[ ! -e /sys/class/net/tap0 ] || return 0
	lsmod | grep -q '^tun ' || {
		tun=$(find "$CACHE/rig" -name tun.ko | head -n 1)
		insmod "${tun:?no tun.ko}"
	}
	ip tuntap add dev tap0 mode tap vnet_hdr
	ip addr add 10.9.0.1/24 dev tap0
	ip link set tap0 up
}

listens() { ss -ltnH "sport = :$1" | grep -q .; }

t_tcp_goes_both_ways_with_offloads() {
	make_tap
	make_initrd "ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0
		cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu
		read up _ </proc/uptime
		wget -q -O - http://10.9.0.1/file | md5sum
		read down _ </proc/uptime
		nc 10.9.0.1 99 </blob
		read end _ </proc/uptime
		echo times \$up \$down \$end
		ping -c 3 -q -s 1400 10.9.0.1 | grep received"
	mkdir www
	head -c $((MiB << 20)) /dev/urandom >www/file
	busybox httpd -f -p 10.9.0.1:80 -h www &
	at_exit "kill $!"
	python3 -c 'import socket, sys
left = int(sys.argv[1])
with socket.create_server(("", 99)) as s, s.accept()[0] as c:
    while left > 0 and (block := c.recv(65536)):
        left -= sys.stdout.buffer.write(block)' $((MiB << 20)) >uploaded &
	until_true 60 listens 99
	until_true 60 listens 80
	run "net tap=tap0 mac=02:00:00:00:00:09 mtu=1400"
	like address "$said" '^02:00:00:00:00:09$'
	like mtu "$said" '^1400$'
	like download "$said" "^$(md5sum <www/file | cut -d' ' -f1) "
	until_true 10 cmp -s uploaded root/blob
	like ping "$said" '3 packets received'
	awk -v n=$MiB '/^times/ { printf "# down %.0f, up %.0f MiB/s\n", n / ($3 - $2 + .001), n / ($4 - $3 + .001) }' <<<"$said" >&3
}

# With Linux's driver over a stream, as pods without a bridge do it.  The gateway is the host itself.
t_passt_gives_address_and_tcp() {
	command -v passt >/dev/null || skip "passt is not installed"
	make_tap # where passt takes its template from
	ip addr add 10.9.7.1/24 dev tap0
	ip route replace default via 10.9.7.9 dev tap0
	chmod 755 "$FILE_TMP"
	mkdir -m 777 passt
	mkdir www
	head -c $((MiB << 20)) /dev/urandom >www/file
	busybox httpd -f -p 127.0.0.1:8080 -h www &
	at_exit "kill $!"
	passt -f -1 -4 -i tap0 -a 10.9.7.2 -n 24 -g 10.9.7.1 -m 65520 -s "$PWD/passt/socket" >passt.log 2>&1 &
	at_exit "kill $! 2>&-"
	make_initrd 'mkdir -p /etc
		printf "#!/bin/busybox sh\nip addr add \$ip/\$mask dev \$interface; ip route add default via \$router; echo lease \$ip\n" >/lease
		chmod +x /lease
		ip link set lo up; ip link set eth0 up
		cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu /sys/class/net/eth0/carrier
		udhcpc -i eth0 -n -q -f -s /lease || echo no lease
		read up _ </proc/uptime
		wget -q -O - http://10.9.7.1:8080/file | md5sum
		read down _ </proc/uptime
		echo times $up $down'
	until_true 20 test -S passt/socket
	until_true 20 listens 8080
	run "net kind=stream path=$PWD/passt/socket mac=02:00:00:00:00:09 mtu=65520"
	like address "$said" '^02:00:00:00:00:09$'
	like mtu "$said" '^65520$'
	like carrier "$said" '^1$'
	like lease "$said" '^lease 10.9.7.2$'
	like download "$said" "^$(md5sum <www/file | cut -d' ' -f1) "
	awk -v n=$MiB '/^times/ { printf "# passt: down %.0f MiB/s\n", n / ($3 - $2 + .001) }' <<<"$said" >&3
}

t_a_directory_is_shared() {
	[ -x $server ] || skip "virtiofsd is not installed"
	mkdir share
	echo "hello from the host" >share/greeting
	head -c $((MiB << 20)) /dev/urandom >share/file
	make_initrd "mount -t virtiofs home /mnt || echo no mount
		cat /mnt/greeting
		md5sum </mnt/file
		cp /blob /mnt/blob; sync
		umount /mnt; mount -t virtiofs home /mnt; cat /mnt/greeting"
	$server -f -o source=$PWD/share,sandbox=chroot --socket-path=socket >server.log 2>&1 &
	until_true 20 test -S socket
	run "fs tag=home path=socket"
	is greetings "$(grep -c '^hello from the host$' <<<"$said")" 2
	like file "$said" "^$(md5sum <share/file | cut -d' ' -f1) "
	cmp share/blob root/blob
}

t_a_console_port_carries_bytes() {
	mkfifo up
	make_initrd 'port=$(grep -lx work /sys/class/virtio-ports/*/name); port=/dev/$(basename ${port%/name})
		echo port $port
		cat /blob >$port'
	cat up >got &
	run "console name=work fd=7" 7>up
	wait $!
	like port "$said" '^port /dev/vport[0-9]p1$'
	cmp got root/blob
}

exec 3>&1
tap_run "$@"
