# The words people type, in front of Meson.  `make help` lists them.

PREFIX ?= /usr/local
DESTDIR ?=
DIR ?=
PORT ?= 8686
ARGS ?=
T ?=
FUZZ_SECONDS ?= 60

export DIR PORT ARGS FUZZ_SECONDS

# The whole Meson set-up of a build; ninja looks after changes of its files.
CONFIGURE = meson setup --prefix="$(PREFIX)"
SANITIZE = -Db_sanitize=address,undefined -Db_lundef=false

all: release

help:
	@echo 'make              the release build, in build/release'
	@echo 'make run          install what is missing, build, serve a folder:'
	@echo '                    DIR=  the folder (default: a small sample)'
	@echo '                    PORT= of 127.0.0.1 (default 8686)'
	@echo '                    ARGS= more options for netpand'
	@echo 'make test         install what is missing, then every test'
	@echo '                    T=    arguments for pytest, as T="-k resume"'
	@echo 'make unit         unit tests and the replay of the fuzz corpora'
	@echo 'make system       system tests'
	@echo 'make asan         every test under ASan and UBSan'
	@echo 'make fuzz         every fuzz target, FUZZ_SECONDS= each (60)'
	@echo 'make bench        install the servers to compare with, then measure'
	@echo 'make compilers    gcc and clang, warnings are errors'
	@echo 'make check        clang-format, cppcheck, the man pages'
	@echo 'make format       clang-format over every C file'
	@echo 'make install      PREFIX= (/usr/local) DESTDIR='
	@echo 'make clean        removes build/'

build/release/build.ninja:
	$(CONFIGURE) build/release

build/asan/build.ninja:
	CC=gcc $(CONFIGURE) $(SANITIZE) build/asan

build/fuzz/build.ninja:
	CC=clang $(CONFIGURE) $(SANITIZE) -Dfuzz=true build/fuzz

build/werror-%/build.ninja:
	CC=$* $(CONFIGURE) --werror build/werror-$*

release: build/release/build.ninja
	ninja -C build/release

setup:
	@scripts/setup

setup-build:
	@scripts/setup build

run: setup-build
	@$(MAKE) -s build/release/build.ninja
	ninja -C build/release src/server/netpand src/client/netpan
	@scripts/make-sample build/sample
	@scripts/run

test: setup
	@$(MAKE) -s release
	scripts/test build/release $(T)

unit: release
	scripts/test --unit build/release

system: release
	scripts/test --system build/release $(T)

asan: setup
	@$(MAKE) -s build/asan/build.ninja
	ninja -C build/asan
	scripts/test build/asan -m "not once" $(T)

fuzz: setup
	@$(MAKE) -s build/fuzz/build.ninja
	ninja -C build/fuzz
	scripts/fuzz build/fuzz

compilers: werror-gcc werror-clang

werror-%: build/werror-%/build.ninja
	ninja -C build/werror-$*

check:
	scripts/check

format:
	scripts/check --format

setup-bench:
	@scripts/setup build bench

bench: setup-bench
	@$(MAKE) -s release
	bench/run

# Debug information stays in build/release; what is installed is stripped.
install: release
	meson configure build/release -Dprefix="$(PREFIX)"
	DESTDIR="$(DESTDIR)" meson install -C build/release --strip

clean:
	rm -rf build

.PHONY: all help release setup setup-build setup-bench run test unit system \
    asan fuzz compilers check format bench install clean
.SECONDARY:
